<?php
// Release @RELEASE@: work that takes a processor.

/** CPU time of this worker, in microseconds. */
function cpu_us(): int
{
    $used = getrusage();
    return ($used['ru_utime.tv_sec'] + $used['ru_stime.tv_sec']) * 1000000
        + $used['ru_utime.tv_usec'] + $used['ru_stime.tv_usec'];
}

/** Burns so much CPU time; waiting for a CPU does not count. */
function burn_cpu(int $ms): void
{
    $end = cpu_us() + 1000 * $ms;
    while (cpu_us() < $end) {
        for ($i = 0; $i < 500; $i++) {
            $burnt = sqrt($i);
        }
    }
}
