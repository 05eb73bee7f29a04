<?php
// Release @RELEASE@: takes a POST, burns ?work=N ms of CPU time, naps ?nap=N ms at one go, waits
// ?wait=N ms in a way that no signal cuts short, and says whether all of it happened.
header('Content-Type: text/plain');

function cpu_us(): int
{
    $used = getrusage();
    return ($used['ru_utime.tv_sec'] + $used['ru_stime.tv_sec']) * 1000000
        + $used['ru_utime.tv_usec'] + $used['ru_stime.tv_usec'];
}

$end = cpu_us() + 1000 * (int) ($_GET['work'] ?? 0);
while (cpu_us() < $end) {
    $burnt = sqrt(2);
}
$nap = 1000 * (int) ($_GET['nap'] ?? 0);
$begin = hrtime(true);
usleep($nap);
$whole = hrtime(true) - $begin >= 1000 * $nap;

$end = hrtime(true) + 1000000 * (int) ($_GET['wait'] ?? 0);
while (hrtime(true) < $end) {
    usleep(5000);
}
echo 'release @RELEASE@ body ', md5(file_get_contents('php://input')), $whole ? ' whole' : ' cut short';
