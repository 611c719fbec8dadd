"""A store is copied while writes go on, and a restored one trusts nothing that may have happened since."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.e2e.calls import Plant, good
from tests.e2e.moves import awaited
from tests.integration.operator.conftest import dual
from tests.integration.operator.site import Desk
from tests.support.gateway import Deployment, deployment
from tests.support.postgres import Cluster
from tests.support.simulated import Pair, simulated_pair

WHY = ("--quiet", "2", "--reason", "the disk died", "--actor", "anna")


@pytest.fixture
def pair() -> Iterator[Pair]:
    with simulated_pair() as erps:
        yield erps


@pytest.fixture
def site(pair: Pair, tmp_path: Path) -> Deployment:
    return dual(deployment(tmp_path, pair))


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def epochs(path: Path) -> dict[object, object]:
    return dict(rows(path, "SELECT plant || '/' || domain, epoch FROM cell"))


def test_a_backup_taken_while_writes_go_on_is_whole_and_a_restore_raises_every_epoch(
    site: Deployment, pair: Pair
) -> None:
    copy, live = site.folder / "copy.db", site.folder / "gateway.db"
    with site.running() as gateway:
        desk = Desk(gateway, pair, Plant(gateway.client("admin"), "1000"))
        stop, kept = threading.Event(), []

        def work() -> None:
            with httpx.Client(base_url=gateway.base_url, headers=desk.plant.http.headers, timeout=60) as http:
                while not stop.is_set():
                    kept.append(Plant(http, "1000").ordered().headers["x-op-id"])

        writer = threading.Thread(target=work)
        writer.start()
        try:
            awaited(lambda: len(kept) > 5)
            before = list(kept)
            desk.run("store", "backup", str(copy))
            awaited(lambda: len(kept) > len(before) + 5)
        finally:
            stop.set()
            writer.join()
        assert "there already" in desk.run("store", "backup", str(copy), exit_code=1)
        assert "another gateway" in desk.run("store", "restore", str(copy), *WHY, exit_code=6)
    assert not list(site.folder.glob("*.part*"))
    known = {row[0] for row in rows(copy, "SELECT id FROM intent")}
    assert set(before) <= known
    assert len(known) < len(kept)
    old = epochs(live)
    assert site.cli("store", "restore", str(copy), *WHY, content=False).exit_code == 0
    assert {row[0] for row in rows(live, "SELECT id FROM intent")} == known
    assert epochs(live) == {cell: int(str(epoch)) + 1 for cell, epoch in old.items()}
    ((actor, reason),) = rows(live, "SELECT actor, reason FROM audit WHERE action = 'store.restore'")
    assert (actor, reason) == ("anna", "the disk died")
    (aside,) = site.folder.glob("gateway.db.before-restore-*[0-9]")
    assert {row[0] for row in rows(aside, "SELECT id FROM intent")} >= set(kept)
    assert "a full reconciliation is demanded" in site.cli("doctor", "-o", "json").output
    site.environment["CHANGEOVER_FEED_POLL_S"] = "0.2"
    with site.running() as gateway:
        report = gateway.admin("/readyz")
        assert report.status_code == 200
        assert "a full reconciliation is demanded" in report.json()["reasons"]["reconciliation"]
        answer = Plant(gateway.client("admin"), "1000").ordered()
        good(answer, 201)
        assert "epoch=2" in answer.headers["x-route"]
        assert gateway.admin("/readyz").json()["feeds"] == {}
        said = ("--reason", "counted by hand", "--actor", "bert")
        assert site.cli("store", "reconciled", *said, content=False).exit_code == 0
        awaited(lambda: "reconciliation" not in gateway.admin("/readyz").json()["reasons"])
        awaited(lambda: gateway.admin("/readyz").json()["feeds"])
        again = site.cli("store", "reconciled", *said, content=False)
    assert again.exit_code != 0
    assert "demands no reconciliation" in again.output
    done = rows(live, "SELECT actor, reason FROM audit WHERE action = 'store.reconciled'")
    assert done == [("bert", "counted by hand")]


def test_what_was_sent_after_the_backup_is_not_sent_again_by_the_restored_store(site: Deployment, pair: Pair) -> None:
    copy = site.folder / "copy.db"
    mark = pair.cloud.length
    with site.running() as gateway:
        desk = Desk(gateway, pair, Plant(gateway.client("admin"), "1000"))
        with pair.cloud.fault("status", status=503, method="POST", count=0):
            answer = desk.plant.ordered()
            made = good(answer, 201)
            changed = desk.plant.change(
                "production-orders", made["id"], {"quantity": {"value": "21"}}, answer.headers["etag"]
            )
            good(changed)
            awaited(lambda: any(row["erp"] == "s4" for row in desk.json("journal", "backlog")))
            desk.run("store", "backup", str(copy))
        desk.done(answer)
        desk.done(changed)
    assert site.cli("store", "restore", str(copy), *WHY, content=False).exit_code == 0
    with site.running() as gateway:
        desk = Desk(gateway, pair, Plant(gateway.client("admin"), "1000"))
        desk.done(answer)
        desk.done(changed)
    assert len(desk.orders("cloud", mark)) == 1
    assert len(desk.orders("cloud", mark, "update")) == 1


def test_what_a_person_sent_on_after_the_backup_is_not_sent_again_by_the_restored_store(
    site: Deployment, pair: Pair
) -> None:
    """The case is open again, and nobody knows that it was decided: the operator looks in the ERP before it goes out."""
    copy, mark = site.folder / "copy.db", pair.legacy.length
    with site.running() as gateway:
        desk = Desk(gateway, pair, Plant(gateway.client("admin"), "2000"))
        item = desk.unknown_to("legacy")
        answer = desk.plant.ordered(item=item)
        case = desk.case_of(answer)
        desk.run("store", "backup", str(copy))
        desk.make_item("legacy", item)
        desk.run("case", "replay", str(case["case"]), "--reason", "item is there now", "--actor", "anna")
        desk.done(answer)
        number = desk.shown(case)["names"]["erp:ecc"]
    assert site.cli("store", "restore", str(copy), *WHY, content=False).exit_code == 0
    with site.running() as gateway:
        desk = Desk(gateway, pair, Plant(gateway.client("admin"), "2000"))
        assert desk.shown(case)["in_doubt"]
        said = ("--reason", "item is there", "--actor", "bert")
        for act in (("replay",), ("repair", "--patch", '{"quantity": "7"}'), ("close",)):
            assert "Nobody knows" in desk.run("case", act[0], str(case["case"]), *act[1:], *said, exit_code=1)
        desk.run("case", "close", str(case["case"]), "--happened", "yes", "--key", number, *said)
        desk.done(answer)
    assert len(desk.orders("legacy", mark)) == 1


def test_what_is_no_backup_of_a_store_is_refused_and_the_store_stays(site: Deployment) -> None:
    assert site.cli("apply").exit_code == 0
    live = site.folder / "gateway.db"
    before = rows(live, "SELECT * FROM cell ORDER BY 1, 2")
    (site.folder / "text.db").write_text("no database", "utf-8")
    with closing(sqlite3.connect(site.folder / "other.db")) as db:
        db.execute("CREATE TABLE t (x)")
    for name in ("text.db", "other.db", "missing.db", "gateway.db"):
        done = site.cli("store", "restore", str(site.folder / name), *WHY, content=False)
        assert done.exit_code == 1, done.output
    with closing(sqlite3.connect(site.folder / "newer.db")) as db, closing(sqlite3.connect(live)) as now:
        now.backup(db)
        db.execute("UPDATE alembic_version SET version_num = '9999'")
        db.commit()
    assert "newer" in site.cli("store", "restore", str(site.folder / "newer.db"), *WHY, content=False).output
    assert rows(live, "SELECT * FROM cell ORDER BY 1, 2") == before
    assert not list(site.folder.glob("*.part*"))


def test_postgresql_is_left_to_its_own_tools_but_its_epochs_rise_too(
    pair: Pair, postgres: Cluster, tmp_path: Path
) -> None:
    made = deployment(tmp_path, pair, database_url=postgres.create("restored"))
    assert made.cli("apply").exit_code == 0
    done = made.cli("store", "backup", str(tmp_path / "x"), content=False)
    assert (done.exit_code, "pg_dump" in done.output) == (2, True)
    done = made.cli("store", "restore", str(tmp_path / "x"), *WHY, content=False)
    assert (done.exit_code, "pg_restore" in done.output) == (2, True)
    before = postgres.rows("restored", "SELECT MIN(epoch), MAX(epoch) FROM cell")
    done = made.cli("store", "restore", "--after-pg-restore", *WHY, content=False)
    assert done.exit_code == 0, done.output
    ((low, high),) = postgres.rows("restored", "SELECT MIN(epoch), MAX(epoch) FROM cell")
    assert (low, high) == (before[0][0] + 1, before[0][1] + 1)
    assert "a full reconciliation is demanded" in made.cli("doctor", "-o", "json").output
    postgres.drop("restored")


def test_a_damaged_store_gives_way_to_its_backup_and_is_kept_as_it_is(site: Deployment) -> None:
    assert site.cli("apply").exit_code == 0
    live, copy, damaged = site.folder / "gateway.db", site.folder / "copy.db", b"what the disk made of it" * 200
    assert site.cli("store", "backup", str(copy), content=False).exit_code == 0
    known = epochs(live)
    for log in site.folder.glob("gateway.db-*"):
        log.unlink()
    live.write_bytes(damaged)
    done = site.cli("store", "restore", str(copy), *WHY, content=False)
    assert done.exit_code == 0, done.output
    (aside,) = site.folder.glob("gateway.db.before-restore-*[0-9]")
    assert aside.read_bytes() == damaged
    assert epochs(live) == {cell: int(str(epoch)) + 1 for cell, epoch in known.items()}


def test_a_backup_that_cannot_open_the_store_names_the_store_and_leaves_nothing(site: Deployment) -> None:
    place = site.folder / "store"
    place.mkdir()
    site.database_url = f"sqlite:///{place}"
    done = site.cli("store", "backup", str(site.folder / "copy.db"), content=False)
    assert (done.exit_code, f"{place}: " in done.output) == (1, True), done.output
    assert not list(site.folder.glob("copy.db*"))


def test_a_file_that_is_no_database_is_refused_in_words(site: Deployment) -> None:
    assert site.cli("apply").exit_code == 0
    text = site.folder / "text.db"
    text.write_text("no database", "utf-8")
    done = site.cli("store", "restore", str(text), *WHY, content=False)
    assert (done.exit_code, "file is not a database" in done.output) == (1, True), done.output


def test_a_backup_into_a_folder_that_is_not_there_is_refused_in_words(site: Deployment) -> None:
    assert site.cli("apply").exit_code == 0
    target = site.folder / "nowhere" / "copy.db"
    done = site.cli("store", "backup", str(target), content=False)
    assert (done.exit_code, f"{target}: " in done.output) == (1, True), done.output


@pytest.mark.parametrize("part", [0.3, 0.9, 1.0])
def test_a_backup_that_was_cut_off_is_named_and_refused_and_the_store_stays(site: Deployment, part: float) -> None:
    """Also where a byte is missing: SQLite reads that as a zero, and calls the file sound."""
    assert site.cli("apply").exit_code == 0
    live, copy, cut = site.folder / "gateway.db", site.folder / "copy.db", site.folder / "cut.db"
    assert site.cli("store", "backup", str(copy), content=False).exit_code == 0
    whole = copy.read_bytes()
    cut.write_bytes(whole[: int(len(whole) * part) - 1])
    before = rows(live, "SELECT * FROM cell ORDER BY 1, 2")
    done = site.cli("store", "restore", str(cut), *WHY, content=False)
    assert (done.exit_code, f"{cut}" in done.output, f"{live}" in done.output) == (1, True, False), done.output
    assert rows(live, "SELECT * FROM cell ORDER BY 1, 2") == before
