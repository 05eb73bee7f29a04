#include "cli/findings_json.h"

#include "cli/json.h"

json_t *findings_json(const struct findings *findings)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];
		json_t *one = json_object();

		json_object_set_new(one, "result", text_json(finding_result_name(f->result)));
		json_object_set_new(one, "id", text_json(finding_name(f->id)));
		json_object_set_new(one, "subject", text_json(f->subject));
		json_object_set_new(one, "seen", text_json(f->seen));
		json_object_set_new(one, "fix", text_json(f->fix));
		json_array_append_new(list, one);
	}
	return list;
}

json_t *members_json(const struct findings *findings)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < findings->member_count; i++) {
		const struct member *m = &findings->members[i];
		json_t *one = json_object();

		json_object_set_new(one, "hostname", text_json(m->hostname));
		json_object_set_new(one, "service", text_json(m->service));
		json_object_set_new(one, "addresses", text_json(m->addresses));
		json_object_set_new(one, "since", json_integer((json_int_t)m->since_s));
		json_object_set_new(one, "self", json_boolean(m->self));
		json_array_append_new(list, one);
	}
	return list;
}
