<?php
// Release @RELEASE@: everything that a load test checks, in one answer: which release's code and files this
// request saw (also after a nap, when the symlink may have moved), that the whole body came, that no
// signal cut the nap (?nap=MS), and enough bytes to be cut off. With ?stay=MS it takes as long and sleeps on
// after a signal, with ?until=FILE until that is there. Only the tests install this.
header('Content-Type: text/plain');

$ms = (int) ($_GET['nap'] ?? 0);
$begin = hrtime(true);
if ($ms > 0) {
    usleep($ms * 1000);
}
$nap = hrtime(true) - $begin >= $ms * 1000000 ? 'whole' : 'cut';
while (hrtime(true) - $begin < ($_GET['stay'] ?? 0) * 1000000 || !file_exists($_GET['until'] ?? '/')) {
    usleep(1000);
}
$seen = ['@RELEASE@'];
foreach ([__DIR__, dirname($_SERVER['SCRIPT_FILENAME']), $_SERVER['DOCUMENT_ROOT']] as $folder) {
    $seen[] = trim((string) @file_get_contents("$folder/release.txt"));
}
echo implode(' ', $seen), ' ', $_SERVER['REQUEST_METHOD'], ' ', md5((string) file_get_contents('php://input')),
    " nap $nap ", str_repeat('.', 3000), ' end';
