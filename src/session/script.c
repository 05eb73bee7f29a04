#include "session/script.h"

#include <errno.h>
#include <string.h>

#include "util/text.h"

/*
 * PHP's own messages name the save path, which may hold a password.  Functions that lists for
 * disable_functions have (getenv, ini_get) are not used.
 */
const char script_php[] =
	"<?php\n"
	"// Made by twinit, which asks for it through a private socket: is a session that one\n"
	"// replica wrote there for another one?\n"
	"(static function () {\n"
	"    header('Content-Type: text/plain');\n"
	"    $asked = $_GET;\n"
	"    $problem = '';\n"
	"    set_error_handler(static function ($level, $text) use (&$problem) {\n"
	"        $problem = $problem === '' ? $text : $problem;\n"
	"        return true;\n"
	"    });\n"
	"    $id = $value = '';\n"
	"    try {\n"
	"        if (isset($asked['id'])) {\n"
	"            session_id($asked['id']);\n"
	"        }\n"
	"        $options = ['use_cookies' => '0', 'cache_limiter' => ''];\n"
	"        if ($asked['do'] === 'read') {\n"
	"            $options['read_and_close'] = true;\n"
	"        }\n"
	"        if (session_start($options)) {\n"
	"            $id = session_id();\n"
	"            $value = $_SESSION['twinit'] ?? '';\n"
	"            if ($asked['do'] === 'write') {\n"
	"                $_SESSION['twinit'] = $value = $asked['value'];\n"
	"                session_write_close();\n"
	"            } elseif ($asked['do'] === 'end') {\n"
	"                session_destroy();\n"
	"            }\n"
	"        } elseif ($problem === '') {\n"
	"            $problem = 'session_start() failed';\n"
	"        }\n"
	"    } catch (Throwable $thrown) {\n"
	"        $problem = $problem === '' ? $thrown->getMessage() : $problem;\n"
	"    }\n"
	"    $path = (string) session_save_path();\n"
	"    $problem = preg_replace('/ *[(]path: .*/s', '', $problem);\n"
	"    $problem = $path === '' ? $problem : str_replace($path, '...', $problem);\n"
	"    $problem = preg_replace(\"/(url was ').*/s\", '$1...', $problem);\n"
	"    $problem = substr(preg_replace('/[^ -~]+/', ' ', $problem), 0, 150);\n"
	"    echo \"id=$id\\nvalue=$value\\nproblem=$problem\\n\";\n"
	"})();\n";

/* Of doc_root PHP takes no empty value; with / the name of the script is its path. */
const char script_settings[] = "doc_root=\"/\"\n"
			       "open_basedir=\"\"\n"
			       "auto_prepend_file=\"\"\n"
			       "auto_append_file=\"\"\n"
			       "display_errors=0\n"
			       "output_buffering=0\n"
			       "zlib.output_compression=0\n"
			       "variables_order=\"G\"\n"
			       "session.auto_start=0\n";

/* Copy the rest of the line that begins with @name, and go behind it.  0 or -EBADMSG. */
static int take_line(const char **at, const char *end, const char *name, char *to, size_t size)
{
	size_t length = strlen(name);
	const char *line_end = memchr(*at, '\n', (size_t)(end - *at));

	if (!line_end || (size_t)(line_end - *at) < length || memcmp(*at, name, length) != 0)
		return -EBADMSG;
	*at += length;
	length = (size_t)(line_end - *at);
	if (length >= size)
		return -EBADMSG;
	for (size_t i = 0; i < length; i++) {
		if ((*at)[i] < ' ' || (*at)[i] > '~')
			return -EBADMSG;
		to[i] = (*at)[i];
	}
	to[length] = '\0';
	*at = line_end + 1;
	return 0;
}

/* session.sid_bits_per_character allows these. */
static bool is_id(const char *id)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-,";

	return id[strspn(id, letters)] == '\0';
}

int script_read(const char *body, size_t size, struct script_answer *answer)
{
	const char *end = body + size;

	if (take_line(&body, end, "id=", answer->id, sizeof(answer->id)) < 0 ||
	    take_line(&body, end, "value=", answer->value, sizeof(answer->value)) < 0 ||
	    take_line(&body, end, "problem=", answer->problem, sizeof(answer->problem)) < 0)
		return -EBADMSG;
	return body == end && is_id(answer->id) ? 0 : -EBADMSG;
}
