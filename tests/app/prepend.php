<?php
// Release @RELEASE@: for auto_prepend_file; does nothing as long as no test makes it bad. Only the tests install this.
