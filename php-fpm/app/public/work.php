<?php
// Release @RELEASE@: burns ?ms=N of CPU time (waiting for a CPU does not count), then prints the release.
require __DIR__ . '/../lib/cpu.php';
header('Content-Type: text/plain');

burn_cpu(max(0, min(25000, (int) ($_GET['ms'] ?? 100))));
echo '@RELEASE@';
