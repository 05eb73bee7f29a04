<?php
// Release @RELEASE@: the shortest answer, for load and for "which release serves?".
header('Content-Type: text/plain');
echo 'pong @RELEASE@';
