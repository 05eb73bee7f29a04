<?php
// Release @RELEASE@: a page that needs a static file of its own release. Only the tests install this.
header('Content-Type: text/plain');
usleep(2000);

echo 'asset-@RELEASE@.txt';
