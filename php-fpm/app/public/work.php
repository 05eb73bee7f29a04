<?php
// Release @RELEASE@: burns ?ms=N of CPU time (waiting for a CPU does not count), then prints the release.
header('Content-Type: text/plain');

function cpu_us(): int
{
    $used = getrusage();
    return ($used['ru_utime.tv_sec'] + $used['ru_stime.tv_sec']) * 1000000
        + $used['ru_utime.tv_usec'] + $used['ru_stime.tv_usec'];
}

$end = cpu_us() + 1000 * max(0, min(25000, (int) ($_GET['ms'] ?? 100)));
while (cpu_us() < $end) {
    for ($i = 0; $i < 500; $i++) {
        $burnt = sqrt($i);
    }
}
echo '@RELEASE@';
