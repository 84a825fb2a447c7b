"""The catalogue of faults: which tests show what the worker does about each of them.

    1-3     kill -9: amid a message, after the effect, before its record    test_kill
    4-7     SIGTERM at any time, and again; SIGKILL amid the shutdown       test_stop
    8-10    SQS fails, throttles, does not answer                           test_queue_faults
    11      the answer to a delete gets lost                                test_lost_answers
    12-14   batches fail in part; messages come twice, and in any order     test_queue_faults
    15      a pause outlasts the lease                                      test_pause
    16      heartbeats fail                                                 test_lost_leases
    17      SQS's twelve hours end                                          test_clocks
    18      a receipt has expired                                           test_queue_faults
    19-23   poison, of every kind and in any number                         test_poison_*
    24-25   the claims throttle; another worker holds the key               test_claim_faults
    26      a late writer                                                   test_pause
    27      DynamoDB forgets late                                           test_claim_faults
    28      the answer to a conditional write gets lost                     test_lost_answers
    29-34   Redis is down, slow, full, fails over, loses writes             test_redis_*
    35-37   objects, events and schedules                                   test_objects, test_events, test_schedules
    38      clocks disagree                                                 test_clocks
    39-42   disk, memory, hangs, leaks                                      test_process_*
    43      credentials run out                                             test_credentials
    44      names do not resolve                                            test_queue_faults
    45      nobody reads the log                                            test_process_output
    46      old and new code on one queue                                   test_versions
    47      SQS is away for long, while work ends and while it stops        test_long_outages
    48      the first of a FIFO group fails again and again                 tests/runtime/test_in_hand
    49      a message kills its process, and its neighbours with it         tests/runtime/test_isolation
    50      the process stands still between claim and handler              tests/runtime/test_worker_edges
    51      a duplicate waits for a job that takes long                     tests/runtime/test_in_hand
    52      what a handler raises is not what it seems                      tests/runtime/test_worker_edges
    53      PostgreSQL restarts, or its connection is cut, in a transaction  test_sql_claims

A test says which rows it shows with `@pytest.mark.fault(row, ...)`.
"""

import re
from pathlib import Path

FOLDERS = [Path(__file__).parent, *(Path(__file__).parents[1] / name for name in ("chaos", "runtime"))]
MARK = re.compile(r"mark\.fault\(([\d, ]+)\)")


def test_every_fault_of_the_catalogue_has_its_test() -> None:
    shown = {
        int(row)
        for folder in FOLDERS
        for path in folder.glob("test_*.py")
        for rows in MARK.findall(path.read_text())
        for row in rows.split(",")
    }
    assert set(range(1, 54)) - shown == set()
