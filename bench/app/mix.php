<?php
// Release @RELEASE@: takes a POST, burns ?work=N ms of CPU time, naps ?nap=N ms at one go, waits
// ?wait=N ms in a way that no signal cuts short, and says whether all of it happened.
require __DIR__ . '/../lib/cpu.php';
header('Content-Type: text/plain');

burn_cpu((int) ($_GET['work'] ?? 0));
$nap = 1000 * (int) ($_GET['nap'] ?? 0);
$begin = hrtime(true);
usleep($nap);
$whole = hrtime(true) - $begin >= 1000 * $nap;

$end = hrtime(true) + 1000000 * (int) ($_GET['wait'] ?? 0);
while (hrtime(true) < $end) {
    usleep(5000);
}
echo 'release @RELEASE@ body ', md5(file_get_contents('php://input')), $whole ? ' whole' : ' cut short';
