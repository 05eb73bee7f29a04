<?php
// Release @RELEASE@: busy for ?ms=N by the clock on the wall, without any sleep that a signal could cut short.
header('Content-Type: text/plain');
set_time_limit(0);

$end = hrtime(true) + 1000000 * max(0, min(600000, (int) ($_GET['ms'] ?? 4000)));
while (hrtime(true) < $end) {
    for ($i = 0; $i < 500; $i++) {
        $burnt = sqrt($i);
    }
}
echo '@RELEASE@';
