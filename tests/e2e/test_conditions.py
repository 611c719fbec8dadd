"""If-Match: whoever says which version a change was made for changes that one and no other."""

from __future__ import annotations

import pytest

from tests.e2e.calls import Plant, good, refused

BOTH = pytest.mark.parametrize("code", ["1000", "3000"])


@BOTH
def test_one_tag_of_several_is_enough_also_where_a_proxy_made_it_weak(plant: Plant) -> None:
    key = good(plant.ordered(), 201)["id"]
    etag = plant.read("production-orders", key).headers["etag"]
    patch = {"quantity": {"value": "11"}}
    refused(plant.change("production-orders", key, patch, 'W/"foreign"'), 412, "stale-etag")
    good(plant.change("production-orders", key, patch, f'"foreign", W/{etag}'))
    refused(plant.change("production-orders", key, patch, f'"foreign", W/{etag}'), 412, "stale-etag")


@BOTH
def test_a_star_names_no_version_so_a_change_with_it_is_refused_and_an_action_carried_out(plant: Plant) -> None:
    key = good(plant.ordered(), 201)["id"]
    refused(plant.change("production-orders", key, {"quantity": {"value": "12"}}, "*"), 428, "etag-required")
    assert good(plant.read("production-orders", key))["quantity"]["value"] == "10.000"
    good(plant.act("production-orders", key, "release", **{"If-Match": "*"}))
