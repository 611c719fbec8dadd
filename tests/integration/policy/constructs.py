"""Rego by the piece: each rule below is evaluated by both engines. `HELPERS` are the rules that others use."""

from __future__ import annotations

INPUT = {
    "nul": None,
    "s": "x",
    "n": 1,
    "l": [{"y": 1}, {"z": 2}],
    "l2": [1, 2, 3],
    "o": {"a": 1, "c": "d"},
    "b": False,
    "t": "2026-05-05",
}
DATA = {"d": {"x": {"y": "deep"}}}
HELPERS = """
f(x) := true if { x == 1 }
f2(x) := 1 if { x == "k" } else := 2
fb(x) := false if { x == 1 }
fe(x) := "one" if { x == 1 } else := "two" if { x == 2 } else := "many"
s1 contains "q"
s0 contains "q" if { data.d.none }
default c0 := 4
c0 := 5 if { data.d.none }
p0[k] := 1 if { some k in ["x"] }
p0[k] := 2 if { some k in data.d.none }
"""

INSIDE = r"""
if { not data.d.none }
if { not input.nul }
if { not input.s == input.n }
if { not data.d[input.s].x }
if { every x in [] { x > 0 } }
if { every x in input.l { x.y > 0 } }
if { every x in input.l2 { x > 0 } }
if { every x in input.nul { x > 0 } }
if { every x in input.s { x > 0 } }
if { every k, v in {"a": 1} { v == 1; k == "a" } }
if { every x in input.o { is_string(x) } }
if { every x in input.l2 { not x == 7 } }
:= {x | some x in input.l}
:= [x | x := input.nul[_]]
if { input.nul < 1 }
if { input.s < 1 }
if { input.n == 1.0 }
:= count(input.s)
:= count(input.nul)
:= object.get(input.o, "q", "dflt")
:= object.get(input.o, "a", "dflt")
:= object.get(input.nul, "q", "dflt")
:= object.get({"a": null}, "a", 5)
:= object.get({"a": false}, ["a", "b"], 5)
:= object.union({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
:= object.union({"a": 1}, {"a": null})
:= object.keys({"a": 1, "b": 2})
:= concat(",", {"b", "a"})
:= concat("", [])
:= split("a,b", ",")
:= split("", ",")
:= split("abc", "")
:= substring("abcdef", 2, -1)
:= substring("abcdef", 2, 100)
:= substring("äöü", 1, 1)
:= substring("abc", 5, 1)
:= substring("abc", -1, 1)
:= trim_prefix("aab", "a")
:= trim_suffix("abc", "c")
:= startswith("abc", "")
:= endswith("", "a")
:= contains("abc", "b")
:= startswith(input.nul, "a")
:= max([])
:= max([1, 3, 2])
:= max(["a", 1, null, [1]])
:= min({"b", "a"})
:= min(set())
:= union({{1}, {2}})
:= union(set())
:= intersection({{1, 2}, {2}})
:= intersection(set())
:= array.concat([1], [2])
:= is_string(input.s)
:= is_string(input.n)
:= is_null(input.nul)
:= is_number(data.d.none)
:= is_array({1})
:= is_set({1})
:= is_object([])
:= is_boolean(false)
:= {1, 2} & {2}
:= {1} | {2}
:= {1, 1.0}
if { {1, 2} == {2, 1} }
if { {"a": 1} == {"a": 1.0} }
if { input.n in {1.0} }
:= x if { x := input.l2[_]; x > 2 }
:= "a" if { data.d.none } else := "b" if { input.s } else := "c"
contains x if { some x in {1, 2} }
[k] := v if { some k, v in {"a": 1} }
[k] := v if { some k in ["a", "a"]; some v in [1, 2] }
if { input.l2[0] == 1 }
if { input.l2[7] }
if { input.s != 1 }
if { not input.b }
if { x := input.b; x }
if { x := input.b; not x }
if { x := data.d.none; x == 1 }
if { 1 in {"a": 1} }
if { 1 in input.nul }
if { 1 in input.n }
if { not 1 in input.nul }
if { not 1 in input.s }
if { "a" in input.s }
:= count([x | x := input.l2[_]; x > 1])
if { input["s"] == "x" }
if { some i; input.l2[i] == 2 }
:= f2("k")
:= f2("z")
if { fb(1) }
if { not fb(1) }
if { not f(2) }
:= fe(1)
:= fe(data.d.none)
:= [fe(x) | some x in [1, 2, 3]]
if { input.nul == null }
if { not false }
:= {"a": data.d.none}
:= [data.d.none]
:= {"a": input.s, input.s: 1}
if { input.s in ["x"]; not input.s in ["y"] }
if { input.t > "2026-01-01" }
if { 10000.01 > 10000; 0.1 < 0.10000000001 }
:= data.d[input.s]
:= data.d.x[input.nul]
if { data.d.x[_] == "deep" }
:= count("äö")
:= s1["q"]
if { not s1["nope"] }
if { count(s0) == 0 }
if { some x in s1; x == "q" }
:= c0
if { not c0 == 4 }
if { p0[input.s] == 1 }
if { not p0[input.s] }
:= data.d[input.o.c]
if { input.l[_].y == 1; input.l[_].z == 2 }
:= [[x, y] | some x in [1, 2]; some y in [x, 3]]
if { "é" < "z" }
if { "Z" < "a" }
if { {1, 2} < {1, 3} }
:= {k: v | some k, v in {"a": 1}}
:= {"k": y | some y in [1, 2]}
if { set() == {x | some x in [1]; x == 2} }
if { count({x | some x in [1]; x > 5}) == 0 }
if { some x in [1, 2, 3]; not x > 2; x == 2 }
:= x if { some x in [3]; x == 3 } else := 9
if { input.l2 == [1, 2, 3] }
:= [v | some v in {3, 1, 2}]
:= [v | some v in {"b": 1, "a": 2}]
if { "a" in object.keys(input.o) }
"""

OUTSIDE = r"""
["k"] := 1
.k := 1
if { "a", "a" in {"a"} }
if { not f(input.none) }
if { not f(data.d.none) }
if { not "x" in data.d.none }
if { not startswith(substring(data.d.none, 0, 1), "a") }
if { some x in input.nul; x }
if { some k, v in input.nul; k == v }
:= upper("straße")
:= lower("İ")
:= 0.1 + 0.2
if { x = 1; x == 1 }
if { [x, y] := [1, 2]; x < y }
:= http.send({"method": "get", "url": "http://127.0.0.1:1"})
if { not http.send({"method": "get", "url": "http://127.0.0.1:1"}) }
:= opa.runtime().env
:= time.now_ns()
:= rand.intn("a", 10)
:= net.lookup_ip_addr("localhost")
:= io.jwt.decode("a.b.c")
:= regex.match("a", "a")
:= sprintf("%v", [1])
:= walk(input.o)
:= input
:= data
:= input.missing
:= data.missing
if { input.s with input.s as 1 }
:= 12345678901234567890
:= 1e3
"""


def rules(text: str) -> list[str]:
    """One rule per line, each named `r`."""
    joints = {":": "r ", "i": "r ", "c": "r ", "[": "r", ".": "r"}
    return [joints[line[0]] + line for line in text.strip().splitlines()]
