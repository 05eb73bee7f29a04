<?php
// Release @RELEASE@: the visitor's page counter, kept in the session.

/**
 * Calls one of PHP's session functions, and logs what it has to say without the end of it: PHP shows the whole
 * save path there, which may hold the password of the store.
 *
 * False whenever it has something to say: without the lock PHP goes on with what it read, drops what it should write,
 * and returns true all the same.
 */
function session_call(callable $function): bool
{
    error_clear_last();
    $done = @$function();
    $said = error_get_last()['message'] ?? '';
    if ($said !== '') {
        error_log('session: ' . preg_replace('/[.]? (\(path: |Please verify).*/s', '', $said));
    }
    return $done && $said === '';
}

/** Adds one and returns the new count; null when the session store does not answer. */
function count_visit(): ?int
{
    try {
        if (!session_call('session_start')) {
            return null;
        }
        $count = ($_SESSION['count'] ?? 0) + 1;
        $_SESSION['count'] = $count;
        // Written and unlocked here, not at the end of the page: the visitor's next request need not wait.
        return session_call('session_write_close') ? $count : null;
    } catch (RedisException $e) {
        error_log('session: ' . $e->getMessage());
        return null;
    }
}
