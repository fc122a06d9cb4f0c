"""Who stands where."""

from __future__ import annotations

import pytest

from dr.lab.errors import LabUsageError
from dr.lab.fabric import mac_of
from dr.lab.topology import Role, Topology, plan_topology


def test_no_two_hosts_share_a_name_or_an_address() -> None:
    topology = plan_topology(branches=50, extra=150)
    names = [host.name for host in topology.hosts]
    addresses = [host.address for host in topology.hosts]
    addresses += [cluster.address for cluster in topology.clusters]
    assert len(names) == len(set(names))
    assert len(addresses) == len(set(addresses))
    assert len({mac_of(address) for address in addresses}) == len(addresses)


def test_every_host_stands_at_a_site_that_exists() -> None:
    topology = plan_topology()
    assert {host.site for host in topology.hosts} == {site.name for site in topology.sites}


def test_interface_names_fit_into_the_kernels_fifteen_bytes() -> None:
    for host in plan_topology(branches=50, extra=150).hosts:
        assert len(f"h-{host.name}") <= 15


def test_the_control_host_is_not_lost_with_the_machine_room() -> None:
    topology = plan_topology()
    assert "control" not in {host.name for host in topology.at_site("main")}
    assert {"db-a", "db-b", "backup"} <= {host.name for host in topology.at_site("main")}


def test_a_branchs_line_takes_half_the_delay_of_the_dr_centres() -> None:
    topology = plan_topology(wan_ms=8)
    assert topology.site("dr").delay_ms == 8
    assert topology.site("br01").delay_ms == 4
    assert topology.site("main").delay_ms is None


def test_a_lab_of_ssh_hosts_has_no_database() -> None:
    topology = plan_topology(only_ssh=True, extra=20)
    assert topology.clusters == ()
    assert {host.role for host in topology.hosts} == {Role.CONTROL, Role.PLAIN}
    assert len(topology.hosts) == 21


def test_staging_can_be_left_out() -> None:
    topology = plan_topology(staging=False)
    assert not any(host.name.startswith("stg") for host in topology.hosts)
    assert [cluster.environment for cluster in topology.clusters] == ["lab"]


@pytest.mark.parametrize("wanted", [{"branches": -1}, {"branches": 51}, {"extra": 151}])
def test_more_than_fits_is_refused(wanted: dict[str, int]) -> None:
    with pytest.raises(LabUsageError, match="a lab has 0 to"):
        plan_topology(**wanted)  # type: ignore[arg-type]


def test_an_unknown_host_is_answered_with_the_nearest_name() -> None:
    topology: Topology = plan_topology()
    with pytest.raises(LabUsageError, match="no host is called 'branch-1'") as wrong:
        topology.host("branch-1")
    assert wrong.value.hint == "Did you mean 'branch-01'?"
