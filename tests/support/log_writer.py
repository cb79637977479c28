"""The ways in which tests make a server write its binary log."""
import pathlib

import pymysql

# What a server writes, by seed; a third one packs as much as it can, a fourth leaves out as much as it can.
MYSQL = [{"@@GLOBAL.binlog_row_metadata": "FULL"},
         {"@@GLOBAL.binlog_row_metadata": "MINIMAL", "binlog_row_value_options": "PARTIAL_JSON"},
         {"@@GLOBAL.binlog_row_metadata": "FULL", "binlog_row_value_options": "PARTIAL_JSON", "binlog_transaction_compression": "ON"},
         {"@@GLOBAL.binlog_row_metadata": "MINIMAL", "binlog_row_image": "MINIMAL"},
         {"@@GLOBAL.binlog_row_metadata": "FULL", "binlog_row_image": "NOBLOB"}]
MARIADB = [{"@@GLOBAL.binlog_row_metadata": "FULL"},
           {"@@GLOBAL.binlog_row_metadata": "NO_LOG", "@@GLOBAL.log_bin_compress": "1", "@@GLOBAL.log_bin_compress_min_len": "10"},
           {"@@GLOBAL.binlog_row_metadata": "MINIMAL"},
           {"@@GLOBAL.binlog_row_metadata": "NO_LOG", "binlog_row_image": "MINIMAL"},
           {"@@GLOBAL.binlog_row_metadata": "MINIMAL", "binlog_row_image": "NOBLOB"}]


def settings_of(server, seed):
    return (MARIADB if server.mariadb else MYSQL)[(seed - 1) % 5]


class Writer:
    """A connection that makes a server write its log in some way, and puts the settings back."""

    def __init__(self, server, settings):
        self.db = server.connect()
        self.cursor = self.db.cursor()
        self.before = {k: self.one(f"SELECT {k}") for k in settings if k.startswith("@@GLOBAL")}
        for k, v in settings.items():
            self.set(k, v)
        self.run("FLUSH BINARY LOGS")
        self.first = self.logs()[-1]

    def one(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchone()[0]

    def set(self, name, value):
        self.cursor.execute(f"SET {name if name.startswith('@@') else 'SESSION ' + name} = "
                            + (str(value) if str(value).isdigit() else f"'{value}'"))

    def run(self, sql):
        try:
            self.cursor.execute(sql)
        except pymysql.err.Error as e:
            raise AssertionError(f"{sql[:500]}: {e}") from e

    def logs(self):
        self.cursor.execute("SHOW BINARY LOGS")
        return [row[0] for row in self.cursor.fetchall()]

    def files(self):
        """The logs that were written since the start, closed."""
        logs = self.logs()
        self.run("FLUSH BINARY LOGS")
        folder = pathlib.Path(self.one("SELECT @@log_bin_basename")).parent
        return [str(folder / f) for f in logs[logs.index(self.first):]]

    def has_labels(self):
        return self.one("SELECT @@GLOBAL.binlog_row_metadata") == "FULL"

    def end(self):
        for k, v in self.before.items():
            self.set(k, v)
        self.db.close()
