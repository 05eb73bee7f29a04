<?php
// Release @RELEASE@: one usleep() of ?ms=N. Prints the milliseconds it really slept: less than N
// means that a signal reached this worker.
header('Content-Type: text/plain');

$ms = max(0, min(600000, (int) ($_GET['ms'] ?? 1000)));
$begin = hrtime(true);
usleep($ms * 1000);
echo intdiv(hrtime(true) - $begin, 1000000);
