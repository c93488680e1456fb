DROP TABLE credentials;
DROP DOMAIN credential_kind;
