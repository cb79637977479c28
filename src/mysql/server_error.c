#include "mysql/server_error.h"

#include <stddef.h>

#define HINT_ACCOUNT                                                                     \
    "Check user and password, that the account may connect from this host, and whether " \
    "it requires TLS (?tls=verify-identity)."
#define HINT_SELECT "Grant SELECT on it to the account, or deselect it."
#define HINT_AGAIN "It is tried again; if it stays, look at the load of the server."
#define HINT_REACH                                                                 \
    "Check host and port, that the server runs, and firewalls or security groups " \
    "between."
#define HINT_NO_PASSWORD \
    "No password was sent: set TAILRACE_SOURCE_PASSWORD, or give --password-file."
#define HINT_TLS                                                                        \
    "Check that the server offers TLS, that its certificate names this host, and that " \
    "the "                                                                              \
    "CA file is the one that signed it."
#define HINT_FULL \
    "Raise the limit of connections at the server or lower source_connections."

struct known_error {
    uint32_t number;
    enum error_code code;
    const char *hint;
};

/* In order of number. */
static const struct known_error known_errors[] = {
    { 1040, ERR_NETWORK, HINT_FULL },
    { 1042, ERR_AUTH, "Let the server resolve or accept this client's host name." },
    { 1043, ERR_PROTOCOL, NULL },
    { 1044, ERR_AUTH, "Grant the account access to this database." },
    { 1045, ERR_AUTH, HINT_ACCOUNT },
    { 1049, ERR_CONFIG, "Check the name of the database." },
    { 1051, ERR_SCHEMA, NULL },
    { 1053, ERR_NETWORK, HINT_AGAIN },
    { 1054, ERR_SCHEMA, "The table has changed; discover the source again." },
    { 1077, ERR_NETWORK, HINT_AGAIN },
    { 1079, ERR_NETWORK, HINT_AGAIN },
    { 1105, ERR_NETWORK, HINT_AGAIN },
    { 1129, ERR_AUTH,
      "Run FLUSH HOSTS (or mysqladmin flush-hosts) at the server: it has blocked this "
      "host." },
    { 1130, ERR_AUTH, "Create the account for this client's host." },
    { 1132, ERR_AUTH, HINT_ACCOUNT },
    { 1133, ERR_AUTH, HINT_ACCOUNT },
    { 1141, ERR_AUTH, HINT_SELECT },
    { 1142, ERR_AUTH, HINT_SELECT },
    { 1143, ERR_AUTH, "Grant SELECT on this column to the account, or deselect it." },
    { 1146, ERR_SCHEMA, "The table is gone; discover the source again." },
    { 1152, ERR_NETWORK, HINT_AGAIN },
    { 1153, ERR_LIMIT, "Raise max_allowed_packet at the server." },
    { 1158, ERR_NETWORK, HINT_AGAIN },
    { 1159, ERR_NETWORK, HINT_AGAIN },
    { 1160, ERR_NETWORK, HINT_AGAIN },
    { 1161, ERR_NETWORK, HINT_AGAIN },
    { 1176, ERR_SCHEMA, "The key is gone; discover the source again." },
    { 1184, ERR_NETWORK, HINT_AGAIN },
    { 1203, ERR_NETWORK, HINT_FULL },
    { 1205, ERR_NETWORK, "Another session holds a lock; it is tried again." },
    { 1213, ERR_NETWORK, HINT_AGAIN },
    { 1226, ERR_NETWORK, "Raise the resource limits of the account." },
    { 1227, ERR_AUTH, "Grant the privilege that the message names." },
    { 1236, ERR_POSITION, "Keep binary logs longer at the source, and copy again." },
    { 1251, ERR_AUTH, "Give the account a current authentication plugin." },
    { 1275, ERR_AUTH, "Give the account a current authentication plugin." },
    { 1290, ERR_CONFIG, "Ask for less, or let the server's option allow it." },
    { 1317, ERR_NETWORK, HINT_AGAIN },
    { 1356, ERR_SCHEMA, "The view is invalid at the source: repair or deselect it." },
    { 1370, ERR_AUTH, "Grant EXECUTE on it to the account." },
    { 1412, ERR_NETWORK, "The table was changed while it was read; it is tried again." },
    { 1524, ERR_AUTH, "Give the account a plugin that the server has loaded." },
    { 1615, ERR_NETWORK, HINT_AGAIN },
    { 1698, ERR_AUTH, HINT_ACCOUNT },
    { 1820, ERR_AUTH, "The account's password has expired: set a new one." },
    { 1862, ERR_AUTH, "The account's password has expired: set a new one." },
    { 1927, ERR_NETWORK, HINT_AGAIN },
    { 1969, ERR_NETWORK, "Raise max_statement_time for the account." },
    { 2002, ERR_NETWORK, HINT_REACH },
    { 2003, ERR_NETWORK, HINT_REACH },
    { 2005, ERR_NETWORK, "Check the host name: it could not be resolved." },
    { 2006, ERR_NETWORK, HINT_AGAIN },
    { 2007, ERR_PROTOCOL, NULL },
    { 2012, ERR_NETWORK, HINT_REACH },
    { 2013, ERR_NETWORK, HINT_AGAIN },
    { 2026, ERR_CONFIG, HINT_TLS },
    { 2027, ERR_PROTOCOL, NULL },
    { 2055, ERR_NETWORK, HINT_AGAIN },
    { 2058, ERR_AUTH, "The server asks for a login method that is not allowed here." },
    { 2059, ERR_AUTH, "The server asks for a login method that is not allowed here." },
    { 2061, ERR_AUTH, "The login method needs TLS: turn it on." },
    { 3024, ERR_NETWORK, "Raise max_execution_time at the server." },
    { 3118, ERR_AUTH, "The account is locked: unlock it." },
    { 3159, ERR_CONFIG, "The server requires TLS: use tls: verify-identity." },
    { 3169, ERR_NETWORK, HINT_AGAIN },
    { 3572, ERR_NETWORK, "Another session holds a lock; it is tried again." },
    { 3955, ERR_AUTH, "The account is blocked after failed logins: unlock it." },
};

static const struct known_error *find_known(uint32_t number)
{
    for (size_t i = 0; i < sizeof known_errors / sizeof *known_errors; i++)
        if (known_errors[i].number == number)
            return &known_errors[i];
    return NULL;
}

int server_error_set(struct error *err, uint32_t number, struct str text)
{
    const struct known_error *known = find_known(number);
    enum error_code code = known != NULL ? known->code : ERR_PROTOCOL;
    /* 2000 to 2999 are the client library's own. */
    if (number >= 2000 && number < 3000)
        error_set(err, code, STR_FMT " (client error %u)", STR_ARG(text), number);
    else
        error_set(err, code, "server error %u: " STR_FMT, number, STR_ARG(text));
    err->remote = number;
    err->hint = known != NULL ? known->hint : NULL;
    /* what the client sent decides whether it is worth looking at the password itself */
    if (number == 1045 && str_ends(text, STR("(using password: NO)")))
        err->hint = HINT_NO_PASSWORD;
    return -1;
}
