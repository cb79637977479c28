"""Judges a log-based copy against what log_workload.py recorded: at any moment it is equal to one of the states that the
source had, at the end to the last one; what was deleted stays deleted, and numbers only grow.

    judge = Judge(workload, program)
    judge.look()            # the copy as it is now, in the middle of things: fails the test when it is no state at all
    judge.end()             # after the last run: every table equal
"""
import dataclasses

from support import oracle
from support.source import schema_name

FOLLOWED = "live"  # the state of a stream whose table is what the log's mark says


@dataclasses.dataclass
class Seen:
    """What one look found in a keyed table."""
    version: int
    types: dict  # of its columns
    rows: dict  # key -> (values, sequence, deleted)


class Judge:
    def __init__(self, workload, program, name="x"):
        self.w, self.program, self.name = workload, program, name
        self.seen, self.looks, self.compared, self.last = {}, 0, 0, -1

    def streams(self, copy):
        """{table: the row of its stream} as the destination's own marks have it."""
        rows = copy.c.execute("SELECT COLUMNS(c -> NOT c LIKE '%_at') FROM _tailrace.stream WHERE integration = ?", [self.name])
        names = [d[0] for d in rows.description]
        return {r["source_table"]: r for r in (dict(zip(names, row)) for row in rows.fetchall())}

    def followed(self, copy):
        """Tables that are as of the log's mark, whatever is copied beside them: others are parked, gone, or not there yet."""
        return {n for n, s in self.streams(copy).items() if s["live_state"] == FOLLOWED and s["lane"] == "log"}

    def number(self, copy):
        rows = copy.rows(f"SELECT n FROM {copy.name(schema_name(self.name), 'commits')} WHERE _sdc_deleted_at IS NULL")
        assert len(rows) == self.w.writers, f"seed {self.w.seed}: table commits has {rows}"
        return sum(n for n, in rows)

    def report_of(self, copy, state, tables):
        """How the copy differs from this state, in these tables."""
        report = oracle.Report()
        for name in sorted(tables):
            recorded = state.get(name)
            if recorded is None:  # gone from the source at that moment: the copy keeps it
                continue
            oracle.TableCheck(report, recorded, copy, recorded.table, schema_name(self.name), name, 128 << 20, "log").run()
        return report

    def look(self):
        """The number of the state that the copy is equal to; None while there is no followed table `commits`."""
        with self.program.opened() as copy:
            if not copy.tables("_tailrace"):
                return None
            tables = self.followed(copy)
            if "commits" not in tables:
                return None
            self.looks += 1
            n = self.number(copy)
            assert n >= self.last, f"seed {self.w.seed}: the copy went back from commit {self.last} to {n}"
            self.last = n
            shapes = {}
            if self.w.record:
                states = self.w.states.get(n, [])
                assert states, f"seed {self.w.seed}: the copy is at commit {n}, which never was; the last one is {self.w.n}"
                reports = []
                for state in states:
                    reports.append(self.report_of(copy, state, tables))
                    if reports[-1].equal:
                        self.compared += reports[-1].tables
                        shapes = {name: recorded.table for name, recorded in state.items() if name in tables}
                        break
                else:
                    least = min(reports, key=lambda r: len(r.differences))
                    raise AssertionError(f"seed {self.w.seed}: at commit {n} the copy is none of {len(states)} states; the "
                                         f"nearest:\n{least}")
            self.remember(copy, shapes)
            return n

    def end(self):
        """Every selected table that the source has is followed and equal to it."""
        with self.program.opened() as copy:
            state = self.w.states[self.w.n][-1]
            want = {n for n in self.w.selected if n in state}
            missing = want - {n for n in self.followed(copy) if self.streams(copy)[n]["state"] == FOLLOWED}
            assert not missing, f"seed {self.w.seed}: not followed at the end: " + "; ".join(
                f"{n}: {self.streams(copy).get(n)}" for n in sorted(missing))
            report = self.report_of(copy, state, want)
            assert report.equal, f"seed {self.w.seed}: {report}"
            self.remember(copy, {name: state[name].table for name in want})
            return report

    def remember(self, copy, shapes):
        """Rules between two looks at a table of one version. shapes: the tables as they were in the state that the copy is
        equal to."""
        for name, table in sorted(shapes.items()):
            if not table.key or table.prefix_key:
                continue
            now = self.see(copy, table)
            before = self.seen.get(name)
            if now and before and before.version == now.version:
                problems = broken(before, now)
                assert not problems, f"seed {self.w.seed}: {name}: " + "; ".join(problems[:5])
            if now:
                self.seen[name] = now

    def see(self, copy, table):
        schema = schema_name(self.name)
        have = dict(copy.columns(schema, table.name))
        targets = {c.name: c.target for c in table.columns}
        key = [targets[k] for k in table.key]
        if not set(key) <= set(have):
            return None  # another key since
        others = [n for n in have if n not in key and not n.startswith(("_sdc_", "__sdc_"))]
        system = [(n, have[n]) for n in ("_sdc_sequence", "_sdc_deleted_at", "_sdc_table_version")]
        rows, versions = {}, {0}
        for row in copy.values(schema, table.name, [(n, have[n]) for n in [*key, *others]] + system):
            k, values, (sequence, deleted, version) = row[: len(key)], row[len(key) : -3], row[-3:]
            assert k not in rows, f"seed {self.w.seed}: {table}: key {k} is there twice"
            rows[k] = (dict(zip(others, values)), sequence, deleted)
            versions.add(version)
        return Seen(max(versions), have, rows)


def broken(before, now):
    problems = []
    same = [n for n, kind in before.types.items() if now.types.get(n) == kind]  # 1.5 is 1.50 in a wider type
    for key, (values, sequence, deleted) in before.rows.items():
        later = now.rows.get(key)
        if later is None:
            problems.append(f"key {key} was there and is not even marked deleted")
            continue
        if later[1] < sequence:
            problems.append(f"key {key}: the sequence went back from {sequence} to {later[1]}")
        elif later[1] == sequence and (any(later[0][n] != v for n, v in values.items() if n in same) or later[2] != deleted):
            problems.append(f"key {key} changed and its sequence did not")
    return problems

