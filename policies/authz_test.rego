package changeover.authz_test

import data.changeover.authz

base := {
	"schema": 1,
	"subject": {"id": "u", "client": "c", "roles": [], "plants": ["1000"], "auth": "jwt"},
	"cell": {"plant": "1000", "domain": "production"},
	"object": "production_order",
	"verb": "read",
	"phase": "legacy",
	"side": null,
	"version": "1",
	"document": {"currency": null, "total": null},
	"client": {"surface": "rest", "network": null},
	"time_bucket": null,
}

subject(roles, plants) := {"id": "u", "client": "c", "roles": roles, "plants": plants, "auth": "jwt"}

asks(roles, domain, thing, verb) := object.union(
	base,
	{"subject": subject(roles, ["1000"]), "cell": {"plant": "1000", "domain": domain}, "object": thing, "verb": verb},
)

order(roles, verb, currency, total) := object.union(
	asks(roles, "procurement", "purchase_order", verb),
	{"document": {"currency": currency, "total": total}},
)

test_nobody_may_do_nothing if {
	answer := authz.decision with input as base
	answer.allow == false
	"no-role-grants-this" in answer.reasons
}

test_an_unknown_role_grants_nothing if {
	answer := authz.decision with input as asks(["ghost"], "production", "production_order", "read")
	answer.allow == false
}

test_mes_releases_its_plants_order if {
	answer := authz.decision with input as asks(["mes"], "production", "production_order", "release")
	answer.allow == true
	count(answer.reasons) == 0
	answer.obligations == {"mask": set(), "rate_class": "standard", "log": "full"}
}

test_mes_confirms if {
	answer := authz.decision with input as asks(["mes"], "production", "confirmation", "create")
	answer.allow == true
	answer.obligations.log == "normal"
}

test_mes_may_not_buy if {
	answer := authz.decision with input as asks(["mes"], "procurement", "purchase_order", "create")
	answer.allow == false
}

test_a_grant_is_for_its_own_domain if {
	answer := authz.decision with input as asks(["mes"], "finance", "production_order", "read")
	answer.allow == false
}

test_another_plant_is_refused if {
	question := object.union(asks(["mes"], "production", "production_order", "read"), {"cell": {"plant": "2000", "domain": "production"}})
	answer := authz.decision with input as question
	answer.allow == false
	answer.reasons == {"plant-not-granted"}
}

test_a_star_means_every_plant if {
	question := object.union(
		asks(["mes"], "production", "production_order", "read"),
		{"cell": {"plant": "2000", "domain": "production"}, "subject": subject(["mes"], ["*"])},
	)
	answer := authz.decision with input as question
	answer.allow == true
}

test_no_plant_at_all_is_refused if {
	question := object.union(asks(["mes"], "production", "production_order", "read"), {"subject": subject(["mes"], [])})
	answer := authz.decision with input as question
	answer.allow == false
}

test_enterprise_items_are_read_from_any_plant if {
	question := object.union(asks(["planner"], "master_data", "item", "list"), {"cell": {"plant": "*", "domain": "master_data"}})
	answer := authz.decision with input as question
	answer.allow == true
}

test_enterprise_items_are_not_read_without_a_plant if {
	question := object.union(
		asks(["planner"], "master_data", "item", "list"),
		{"cell": {"plant": "*", "domain": "master_data"}, "subject": subject(["planner"], [])},
	)
	answer := authz.decision with input as question
	answer.allow == false
}

test_enterprise_items_are_changed_only_with_every_plant if {
	question := object.union(
		asks(["master_data_steward"], "master_data", "item", "change"),
		{"cell": {"plant": "*", "domain": "master_data"}},
	)
	mine := authz.decision with input as question
	mine.allow == false
	all := authz.decision with input as object.union(question, {"subject": subject(["master_data_steward"], ["*"])})
	all.allow == true
}

test_wms_moves_stock if {
	answer := authz.decision with input as asks(["wms"], "inventory", "movement", "post")
	answer.allow == true
}

test_wms_reads_orders_without_prices if {
	answer := authz.decision with input as asks(["wms"], "procurement", "purchase_order", "read")
	answer.allow == true
	answer.obligations.mask == {"lines[].price", "lines[].price_per"}
}

test_a_supplier_sees_no_prices_and_is_a_partner if {
	answer := authz.decision with input as asks(["supplier_portal"], "procurement", "purchase_order", "list")
	answer.allow == true
	answer.obligations.mask == {"lines[].price", "lines[].price_per", "buyer_group"}
	answer.obligations.rate_class == "partner"
}

test_a_supplier_writes_nothing if {
	answer := authz.decision with input as order(["supplier_portal"], "change", "EUR", 1)
	answer.allow == false
}

test_two_roles_hide_only_what_both_hide if {
	answer := authz.decision with input as asks(["wms", "supplier_portal"], "procurement", "purchase_order", "read")
	answer.obligations.mask == {"lines[].price", "lines[].price_per"}
	answer.obligations.rate_class == "standard"
}

test_a_role_that_shows_lifts_the_mask if {
	answer := authz.decision with input as asks(["buyer", "supplier_portal"], "procurement", "purchase_order", "read")
	answer.obligations.mask == set()
}

test_a_role_that_grants_nothing_lifts_no_mask if {
	answer := authz.decision with input as asks(["mes", "supplier_portal"], "procurement", "purchase_order", "read")
	answer.obligations.mask == {"lines[].price", "lines[].price_per", "buyer_group"}
}

test_a_buyer_orders_up_to_the_limit if {
	answer := authz.decision with input as order(["buyer"], "create", "EUR", 10000)
	answer.allow == true
}

test_a_buyer_does_not_order_above_the_limit if {
	answer := authz.decision with input as order(["buyer"], "create", "EUR", 10000.01)
	answer.allow == false
	answer.reasons == {"needs-buyer-senior"}
}

test_the_limit_is_in_the_orders_currency if {
	answer := authz.decision with input as order(["buyer"], "create", "USD", 10500)
	answer.allow == true
}

test_a_currency_without_a_limit_needs_a_senior if {
	answer := authz.decision with input as order(["buyer"], "create", "JPY", 1)
	answer.allow == false
}

test_an_unknown_total_needs_a_senior if {
	answer := authz.decision with input as order(["buyer"], "release", "EUR", null)
	answer.allow == false
}

test_a_senior_orders_above_the_limit if {
	answer := authz.decision with input as order(["buyer", "buyer_senior"], "create", "EUR", 1000000)
	answer.allow == true
}

test_reading_needs_no_limit if {
	answer := authz.decision with input as order(["buyer"], "read", "EUR", 1000000)
	answer.allow == true
}

test_an_auditor_reads_everything_and_changes_nothing if {
	reads := authz.decision with input as asks(["auditor"], "quality", "anything", "read")
	reads.allow == true
	changes := authz.decision with input as asks(["auditor"], "quality", "anything", "change")
	changes.allow == false
}

test_an_admin_is_logged_in_full if {
	answer := authz.decision with input as order(["admin"], "create", "EUR", 1000000)
	answer.allow == true
	answer.obligations.log == "full"
}
