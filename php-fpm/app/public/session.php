<?php
// Release @RELEASE@: adds one to a counter in the session and prints it.
require __DIR__ . '/../lib/counter.php';
header('Content-Type: text/plain');

$count = count_visit();
if ($count === null) {
    http_response_code(503);
    echo 'the session store does not answer';
    return;
}
echo $count;
