<?php
// Release @RELEASE@: as healthy as health.txt of this release says: "MILLISECONDS STATUS". Only the soak installs this.
[$ms, $status] = explode(' ', trim((string) @file_get_contents(__DIR__ . '/health.txt')) ?: '0 200');
usleep((int) $ms * 1000);
http_response_code((int) $status);
echo "health $status";
