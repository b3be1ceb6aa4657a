"""Clients behind firewalls: where UDP is open they use it, where it is not they talk over TCP."""

import pytest

from harness import namespace


@pytest.mark.timeout(240)
def test_where_no_udp_goes_through_people_talk_over_tcp():
    with namespace.network("-A INPUT -p udp -j DROP") as name:
        namespace.run_within(name, "scenarios/behind_a_firewall.py", 200, EXPECTED_PROTOCOL="tcp")


@pytest.mark.timeout(240)
def test_where_udp_is_open_nobody_uses_tcp():
    with namespace.network() as name:
        namespace.run_within(name, "scenarios/behind_a_firewall.py", 200, EXPECTED_PROTOCOL="udp")
