<?php
// Release @RELEASE@: session.php's counter, and who answered. Only the tests install this.
require __DIR__ . '/../lib/counter.php';
header('Content-Type: text/plain');

echo count_visit() ?? 'lost', ' @RELEASE@ ', gethostname(), ' ', getenv('TWINIT_REPLICA'), ' ', posix_getppid();
