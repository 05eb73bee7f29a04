<?php
// Release @RELEASE@: session.php's counter by a page that keeps the session for 50 ms. Only the tests install this.
header('Content-Type: text/plain');

session_start();
$_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;
usleep(50000);
session_write_close();
echo $_SESSION['count'];
