<?php
// Runs the release's helper with the words asked for, as a child of this worker, which has its descriptors.
$words = array_filter(explode(' ', $_GET['words'] ?? ''), 'strlen');
$helper = proc_open([dirname(__DIR__) . '/attempts', ...$words], [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes);
echo stream_get_contents($pipes[1]);
proc_close($helper);
