<?php
// Release @RELEASE@: opens the session and keeps it locked for ?ms=N. Only the tests install this.
session_start();
$end = hrtime(true) + 1000000 * (int) ($_GET['ms'] ?? 0);
while (hrtime(true) < $end) {
    sqrt(2);
}
echo session_id();
