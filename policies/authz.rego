# Who may do what, where. Roles, plants and limits are data; this file only says how they combine.
package changeover.authz

default decision := {"allow": false, "reasons": ["undecided"], "obligations": {}}

decision := {"allow": allow, "reasons": reasons, "obligations": obligations}

default allow := false

allow if {
	count(granting_roles) > 0
	plant_allowed
	count(reasons) == 0
}

# The caller's roles that grant this verb on this object.
granting_roles contains role if {
	some role in input.subject.roles
	input.verb in data.grants[role][input.cell.domain][input.object]
}

granting_roles contains role if {
	some role in input.subject.roles
	input.verb in data.grants[role]["*"]["*"]
}

default plant_allowed := false

plant_allowed if "*" in input.subject.plants

plant_allowed if input.cell.plant in input.subject.plants

# Enterprise objects belong to no plant: whoever works in any plant may read them.
plant_allowed if {
	input.cell.plant == "*"
	input.verb in ["read", "list"]
	count(input.subject.plants) > 0
}

reasons contains "no-role-grants-this" if count(granting_roles) == 0

reasons contains "plant-not-granted" if not plant_allowed

reasons contains "needs-buyer-senior" if {
	input.object == "purchase_order"
	input.verb in ["create", "change", "release"]
	not within_limit
	not unlimited
}

default within_limit := false

# A total that is not known is not within a limit.
within_limit if {
	is_number(input.document.total)
	input.document.total <= data.limits.purchase_order[input.document.currency]
}

default unlimited := false

unlimited if {
	some role in granting_roles
	role in data.unlimited_roles
}

obligations := {"mask": mask, "rate_class": rate_class, "log": log_level}

# A field stays hidden only while every role that grants the access hides it.
mask contains path if {
	some role in granting_roles
	some path in data.masks[role][input.object]
	every other in granting_roles {
		path in data.masks[other][input.object]
	}
}

default rate_class := "standard"

rate_class := "partner" if {
	count(input.subject.roles) > 0
	every role in input.subject.roles {
		role in data.partner_roles
	}
}

default log_level := "normal"

log_level := "full" if input.verb in ["release", "delete", "cancel"]

log_level := "full" if "admin" in granting_roles
