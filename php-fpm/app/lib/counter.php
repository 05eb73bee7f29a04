<?php
// Release @RELEASE@: the visitor's page counter, kept in the session.

/** Adds one and returns the new count; null when the session store does not answer. */
function count_visit(): ?int
{
    try {
        if (!session_start()) {
            return null;
        }
        $count = ($_SESSION['count'] ?? 0) + 1;
        $_SESSION['count'] = $count;
        // Written and unlocked here, not at the end of the page: the visitor's next request need not wait.
        return session_write_close() ? $count : null;
    } catch (RedisException $e) {
        error_log('session: ' . $e->getMessage());
        return null;
    }
}
