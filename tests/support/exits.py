"""The program's exit codes, as its manual has them: the one place of the tests that knows the numbers."""
OK = 0
BUG = 1
USAGE = 2
CONFIG = 3  # a setting, a credential or a privilege
SOURCE = 4  # the source cannot be reached or answered wrongly
TARGET = 5  # the destination
PARTIAL = 6  # done, but some tables failed or some rows are quarantined
LIMIT = 7  # disk, memory, a lock that another run holds
STOPPED = 130  # by a signal; the next run goes on
