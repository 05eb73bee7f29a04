<?php
// Release @RELEASE@: says who serves this request before anything else happens, then does what ?do= says. So a
// request that gets lost can be laid to the worker that had it. Only the soak installs this.
file_put_contents('/srv/sock/begun', implode(' ', [$_GET['id'] ?? '-', getmypid(), posix_getppid(), '@RELEASE@',
    hrtime(true)]) . "\n", FILE_APPEND);

switch ($_GET['do'] ?? 'check') {
    case 'check':
        require __DIR__ . '/check.php';
        break;
    case 'visit':
        require __DIR__ . '/../lib/counter.php';
        header('Content-Type: text/plain');
        $count = count_visit();
        http_response_code($count === null ? 503 : 200);
        echo $count === null ? 'the session store does not answer' : "visit $count @RELEASE@ end";
        break;
    case 'big':
        header('Content-Type: text/plain');
        echo '@RELEASE@ ', str_repeat('0123456789abcdef', 16384), ' @RELEASE@ end';
        break;
    case 'noise':
        for ($line = 0; $line < 16; $line++) {
            error_log('noise ' . str_repeat('n', 1000));
        }
        require __DIR__ . '/check.php';
        break;
    case 'segv':
        posix_kill(getmypid(), 11);
        sleep(10);
        break;
    case 'die':
        posix_kill(getmypid(), 9);
        sleep(10);
        break;
    case 'exhaust':
        $heap = [];
        while (true) {
            $heap[] = str_repeat('x', 1 << 20);
        }
}
