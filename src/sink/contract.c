#include "sink/contract.h"

#include <openssl/sha.h>

struct system_info {
    const char *name;
    const char *type[SQL_FAMILY_COUNT];
};

static const struct system_info system_columns[SYSTEM_COLUMN_COUNT] = {
    [SYSTEM_PRIMARY_KEY] = { "__sdc_primary_key", { "VARCHAR", "text" } },
    [SYSTEM_EXTRACTED_AT] = { "_sdc_extracted_at",
                              { "TIMESTAMP WITH TIME ZONE", "timestamptz" } },
    [SYSTEM_RECEIVED_AT] = { "_sdc_received_at",
                             { "TIMESTAMP WITH TIME ZONE", "timestamptz" } },
    [SYSTEM_BATCHED_AT] = { "_sdc_batched_at",
                            { "TIMESTAMP WITH TIME ZONE", "timestamptz" } },
    [SYSTEM_SEQUENCE] = { "_sdc_sequence", { "BIGINT", "bigint" } },
    [SYSTEM_TABLE_VERSION] = { "_sdc_table_version", { "BIGINT", "bigint" } },
    [SYSTEM_DELETED_AT] = { "_sdc_deleted_at",
                            { "TIMESTAMP WITH TIME ZONE", "timestamptz" } },
};

const char *contract_system_name(enum system_column c)
{
    return system_columns[c].name;
}

const char *contract_system_type(enum system_column c, enum sql_family family)
{
    return system_columns[c].type[family];
}

enum system_column contract_system_find(struct str name)
{
    unsigned i = 0;
    while (i < SYSTEM_COLUMN_COUNT && !str_ieq(name, str_of(system_columns[i].name)))
        i++;
    return (enum system_column)i;
}

void contract_copy_name(struct buf *out, struct str target, uint64_t version)
{
    buf_printf(out, CONTRACT_COPY_PREFIX "%llu_", (unsigned long long)version);
    buf_add_str(out, target);
}

void contract_held_name(struct buf *out, struct str target, uint64_t version)
{
    buf_printf(out, CONTRACT_HELD_PREFIX "%llu_", (unsigned long long)version);
    buf_add_str(out, target);
}

void contract_row_key(struct str column_bytes, uint8_t out[CONTRACT_KEY_BYTES])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    (void)SHA256((const unsigned char *)column_bytes.ptr, column_bytes.len, digest);
    memcpy(out, digest, CONTRACT_KEY_BYTES);
}

void contract_row_key_nth(const uint8_t first[CONTRACT_KEY_BYTES], uint64_t n,
                          uint8_t out[CONTRACT_KEY_BYTES])
{
    uint8_t input[CONTRACT_KEY_BYTES + 8];
    memcpy(input, first, CONTRACT_KEY_BYTES);
    for (unsigned i = 0; i < 8; i++)
        input[CONTRACT_KEY_BYTES + i] = (uint8_t)(n >> (56 - 8 * i));
    contract_row_key((struct str){ (const char *)input, sizeof(input) }, out);
}

void contract_key_text(const uint8_t key[CONTRACT_KEY_BYTES], char out[CONTRACT_KEY_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    char *p = out;
    for (unsigned i = 0; i < CONTRACT_KEY_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[key[i] >> 4];
        *p++ = digits[key[i] & 15];
    }
}

bool contract_is_stream_fault(const struct error *err)
{
    switch (err->code) {
    case ERR_SCHEMA:
    case ERR_DATA:
    case ERR_PROTOCOL:
        return true;
    case ERR_NONE:
    case ERR_CANCELLED:
    case ERR_CONFIG:
    case ERR_AUTH:
    case ERR_NETWORK:
    case ERR_POSITION:
    case ERR_LIMIT:
    case ERR_IO:
    case ERR_TARGET:
    case ERR_BUG:
    case ERR_CODE_COUNT:
        return false;
    }
    return false;
}
