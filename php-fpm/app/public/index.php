<?php
// Release @RELEASE@: what a visitor sees; shows who answered. The web server sends unknown paths here as well.
require __DIR__ . '/../lib/counter.php';

if (!in_array(strtok($_SERVER['REQUEST_URI'], '?'), ['/', '/index.php'], true)) {
    http_response_code(404);
    header('Content-Type: text/plain');
    echo 'There is no such page.';
    return;
}
header('Content-Type: text/html; charset=utf-8');

$count = count_visit();
$replica = getenv('TWINIT_REPLICA');
$master = function_exists('posix_getppid') ? (string) posix_getppid() : '?';
$facts = [
    'Host' => gethostname(),
    'Replica' => $replica === false || $replica === '' ? "master $master" : "$replica (master $master)",
    'Worker' => (string) getmypid(),
    'Your visits' => $count === null ? 'the session store does not answer' : (string) $count,
];
?>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Release @RELEASE@</title>
<style>
:root { color-scheme: light dark; --paper: #f6f4ef; --card: #fff; --ink: #26241f; --soft: #77736a; --accent: #2f6f5e; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #191a1c; --card: #232528; --ink: #e9e6df; --soft: #9a968c; --accent: #7fc4ae; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper); color: var(--ink);
  font: 17px/1.5 system-ui, sans-serif; }
main { width: min(30rem, 92vw); padding: 2.2rem; background: var(--card); border-radius: 14px;
  box-shadow: 0 10px 40px rgb(0 0 0 / .08); }
h1 { margin: 0; font-size: 1rem; font-weight: 500; color: var(--soft); }
.release { margin: 0 0 1.2rem; font-size: 5rem; line-height: 1.1; font-weight: 700; color: var(--accent); }
dl { display: grid; grid-template-columns: auto 1fr; gap: .35rem 1.2rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
footer { margin-top: 1.6rem; font-size: .85rem; color: var(--soft); }
a { color: inherit; }
</style>
</head>
<body>
<main>
<h1>This page was made by release</h1>
<p class="release">@RELEASE@</p>
<dl>
<?php foreach ($facts as $name => $value): ?>
<dt><?= htmlspecialchars($name) ?></dt><dd><?= htmlspecialchars($value) ?></dd>
<?php endforeach; ?>
</dl>
<footer>Reload: replica and worker change, the visits go on counting.
More: <a href="/ping.php">ping</a>, <a href="/session.php">session</a>, <a href="/slow.php?ms=4000">slow</a>,
<a href="/nap.php?ms=3000">nap</a>, <a href="/release.txt">release.txt</a>.</footer>
</main>
</body>
</html>
