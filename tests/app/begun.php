<?php
// Release @RELEASE@: check.php, and /tmp/begun is there as soon as it has begun. Only the tests install this.
touch('/tmp/begun');
require __DIR__ . '/check.php';
