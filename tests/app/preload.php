<?php
// Release @RELEASE@: for opcache.preload; does nothing as long as no test makes it bad. Only the tests install this.
