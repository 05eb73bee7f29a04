--TEST--
A worker cannot join the sockets of a master: denied when confined, so that the comparison is seen to see something
--EXTENSIONS--
sockets
--FILE--
<?php
$socket = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
var_dump(socket_set_option($socket, SOL_SOCKET, SO_REUSEPORT, 1));
?>
--EXPECT--
bool(true)
