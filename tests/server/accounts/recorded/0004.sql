BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	team_id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	actor VARCHAR(255) NOT NULL, 
	action VARCHAR(32) NOT NULL, 
	target VARCHAR(255) NOT NULL, 
	address VARCHAR(45) NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (id), 
	CONSTRAINT fk_audit_team_id_teams FOREIGN KEY(team_id) REFERENCES teams (id) ON DELETE CASCADE
);
INSERT INTO "audit" VALUES(1,1,'2026-11-25 09:07:06.414648','command line','team.create','Web team','');
INSERT INTO "audit" VALUES(2,1,'2026-11-25 09:07:06.417444','command line','project.create','Shop','');
CREATE TABLE claims (
	batch BLOB NOT NULL, 
	block BLOB NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_claims PRIMARY KEY (batch)
);
INSERT INTO "claims" VALUES(X'0102030405060708090A0B0C0D0E0F10',X'100F0E0D0C0B0A090807060504030201','2026-11-25 08:00:00');
CREATE TABLE dead_letters (
	id INTEGER NOT NULL, 
	block BLOB NOT NULL, 
	place INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	received_us BIGINT NOT NULL, 
	gzip BOOLEAN NOT NULL, 
	body BLOB NOT NULL, 
	reason VARCHAR(500) NOT NULL, 
	counted BIGINT NOT NULL, 
	CONSTRAINT pk_dead_letters PRIMARY KEY (id), 
	CONSTRAINT uq_dead_letters_block_place UNIQUE (block, place)
);
INSERT INTO "dead_letters" VALUES(1,X'0102',0,1,5,0,X'7B','no batch',3);
CREATE TABLE devices (
	id INTEGER NOT NULL, 
	public_id VARCHAR(16) NOT NULL, 
	user_id INTEGER NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	address VARCHAR(45) NOT NULL, 
	created_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_devices PRIMARY KEY (id), 
	CONSTRAINT uq_devices_public_id UNIQUE (public_id), 
	CONSTRAINT fk_devices_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
INSERT INTO "devices" VALUES(1,'64cf093405ad5b9f',1,'Werkzeug','127.0.0.1','2026-11-25 09:07:06.405593','2026-11-25 09:07:06.405596');
CREATE TABLE happenings (
	id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	at DATETIME NOT NULL, 
	until DATETIME NOT NULL, 
	CONSTRAINT pk_happenings PRIMARY KEY (id)
);
INSERT INTO "happenings" VALUES(1,'ab','2026-11-25 08:00:00','2026-11-25 09:00:00');
CREATE TABLE invitations (
	id INTEGER NOT NULL, 
	public_id VARCHAR(16) NOT NULL, 
	team_id INTEGER NOT NULL, 
	email VARCHAR(255), 
	role VARCHAR(16) NOT NULL, 
	secret_sha256 VARCHAR(64) NOT NULL, 
	invited_by VARCHAR(255) NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	revoked_at DATETIME, 
	accepted_at DATETIME, 
	CONSTRAINT pk_invitations PRIMARY KEY (id), 
	CONSTRAINT uq_invitations_public_id UNIQUE (public_id), 
	CONSTRAINT fk_invitations_team_id_teams FOREIGN KEY(team_id) REFERENCES teams (id) ON DELETE CASCADE, 
	CONSTRAINT uq_invitations_secret_sha256 UNIQUE (secret_sha256)
);
INSERT INTO "invitations" VALUES(1,'45f36dec81a93b0e',1,'eve@example.org','member','0000000000000000000000000000000000000000000000000000000000000000','ada@example.org','2026-11-25 09:07:06.426182','2026-11-25 08:00:00.000000',NULL,NULL);
CREATE TABLE keys (
	id INTEGER NOT NULL, 
	"key" VARCHAR(32) NOT NULL, 
	public_id VARCHAR(16) NOT NULL, 
	project_id INTEGER NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	created_at DATETIME NOT NULL, 
	rotated_at DATETIME, 
	revoked_at DATETIME, 
	last_used_at DATETIME, 
	used BIGINT NOT NULL, 
	CONSTRAINT pk_keys PRIMARY KEY (id), 
	CONSTRAINT uq_keys_key UNIQUE ("key"), 
	CONSTRAINT uq_keys_public_id UNIQUE (public_id), 
	CONSTRAINT fk_keys_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);
INSERT INTO "keys" VALUES(1,'d6e007a6dcbbec7066e9e9d1cf17d9ef','d7e02ebdd73a9d4e',1,'Default','2026-11-25 09:07:06.421314',NULL,NULL,NULL,0);
INSERT INTO "keys" VALUES(2,'d097048730fe1006273f1b31284eb998','2f1c2d1626205f5a',1,'Second','2026-11-25 09:07:06.426574',NULL,NULL,NULL,0);
CREATE TABLE members (
	team_id INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_members PRIMARY KEY (team_id, user_id), 
	CONSTRAINT fk_members_team_id_teams FOREIGN KEY(team_id) REFERENCES teams (id) ON DELETE CASCADE, 
	CONSTRAINT fk_members_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
INSERT INTO "members" VALUES(1,1,'owner','2026-11-25 09:07:06.413886');
INSERT INTO "members" VALUES(1,2,'viewer','2026-11-25 09:07:06.422668');
CREATE TABLE minutes (
	project_id INTEGER NOT NULL, 
	minute INTEGER NOT NULL, 
	requests BIGINT NOT NULL, 
	CONSTRAINT pk_minutes PRIMARY KEY (project_id, minute), 
	CONSTRAINT fk_minutes_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);
INSERT INTO "minutes" VALUES(1,29400000,3);
CREATE TABLE notes (
	name VARCHAR(32) NOT NULL, 
	value VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_notes PRIMARY KEY (name)
);
INSERT INTO "notes" VALUES('this_server','0123456789abcdef');
CREATE TABLE operation_apdex (
	project_id INTEGER NOT NULL, 
	method VARCHAR(16) NOT NULL, 
	route VARCHAR(512) NOT NULL, 
	apdex_us BIGINT NOT NULL, 
	CONSTRAINT pk_operation_apdex PRIMARY KEY (project_id, method, route), 
	CONSTRAINT fk_operation_apdex_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);
INSERT INTO "operation_apdex" VALUES(1,'GET','/report',2000000);
CREATE TABLE passkeys (
	id INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	credential_id BLOB NOT NULL, 
	public_key BLOB NOT NULL, 
	sign_count INTEGER NOT NULL, 
	transports TEXT, 
	backup_state BOOLEAN NOT NULL, 
	device_type VARCHAR(64) NOT NULL, 
	extensions VARCHAR(255), 
	create_datetime DATETIME NOT NULL, 
	lastuse_datetime DATETIME NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	usage VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_passkeys PRIMARY KEY (id), 
	CONSTRAINT fk_passkeys_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_passkeys_credential_id UNIQUE (credential_id)
);
INSERT INTO "passkeys" VALUES(1,2,X'01',X'02',5,'["usb"]',0,'single_device',NULL,'2026-11-25 08:00:00','2026-11-25 08:00:00','Key ring','secondary');
CREATE TABLE projects (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	public_id VARCHAR(16) NOT NULL, 
	team_id INTEGER NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	created_at DATETIME NOT NULL, 
	time_zone VARCHAR(64), 
	apdex_us BIGINT NOT NULL, 
	keep_raw_days INTEGER, 
	keep_minutes_days INTEGER, 
	keep_hours_days INTEGER, 
	quota_minute BIGINT, 
	quota_month BIGINT, 
	CONSTRAINT uq_projects_team_id_name UNIQUE (team_id, name), 
	CONSTRAINT uq_projects_public_id UNIQUE (public_id), 
	CONSTRAINT fk_projects_team_id_teams FOREIGN KEY(team_id) REFERENCES teams (id) ON DELETE CASCADE
);
INSERT INTO "projects" VALUES(1,'0e41c76d2cd53435',1,'Shop','2026-11-25 09:07:06.420679',NULL,500000,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE refusals (
	project_id INTEGER NOT NULL, 
	reason VARCHAR(16) NOT NULL, 
	batches BIGINT NOT NULL, 
	since DATETIME NOT NULL, 
	last_at DATETIME NOT NULL, 
	held BIGINT NOT NULL, 
	CONSTRAINT pk_refusals PRIMARY KEY (project_id, reason), 
	CONSTRAINT fk_refusals_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);
INSERT INTO "refusals" VALUES(1,'quota_minute',3,'2026-11-25 08:00:00.000000','2026-11-25 08:00:00.000000',75);
CREATE TABLE tallies (
	name VARCHAR(32) NOT NULL, 
	label VARCHAR(100) NOT NULL, 
	total BIGINT NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_tallies PRIMARY KEY (name, label)
);
INSERT INTO "tallies" VALUES('requests','',3,'2026-11-25 12:00:00');
CREATE TABLE teams (
	id INTEGER NOT NULL, 
	public_id VARCHAR(16) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	personal BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_teams PRIMARY KEY (id), 
	CONSTRAINT uq_teams_public_id UNIQUE (public_id)
);
INSERT INTO "teams" VALUES(1,'60d3478f2911f5e1','Web team',0,'2026-11-25 09:07:06.413317');
CREATE TABLE tokens (
	id INTEGER NOT NULL, 
	public_id VARCHAR(16) NOT NULL, 
	user_id INTEGER NOT NULL, 
	team_id INTEGER, 
	name VARCHAR(80) NOT NULL, 
	scopes VARCHAR(255) NOT NULL, 
	secret_sha256 VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME, 
	last_used_at DATETIME, 
	CONSTRAINT pk_tokens PRIMARY KEY (id), 
	CONSTRAINT uq_tokens_public_id UNIQUE (public_id), 
	CONSTRAINT fk_tokens_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT fk_tokens_team_id_teams FOREIGN KEY(team_id) REFERENCES teams (id) ON DELETE CASCADE, 
	CONSTRAINT uq_tokens_secret_sha256 UNIQUE (secret_sha256)
);
INSERT INTO "tokens" VALUES(1,'20fbf9678c7c8438',1,NULL,'ci','read write','67760ef1d1cf8a3b4c1db6083f11289a04a8317ecbaa7b097671e4f8c3221fe7','2026-11-25 09:07:06.430109',NULL,NULL);
CREATE TABLE usage (
	project_id INTEGER NOT NULL, 
	month VARCHAR(7) NOT NULL, 
	requests BIGINT NOT NULL, 
	CONSTRAINT pk_usage PRIMARY KEY (project_id, month), 
	CONSTRAINT fk_usage_project_id_projects FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);
INSERT INTO "usage" VALUES(1,'2026-11',1204311);
CREATE TABLE users (
	id INTEGER NOT NULL, 
	email VARCHAR(255) NOT NULL, 
	password VARCHAR(255), 
	active BOOLEAN NOT NULL, 
	administrator BOOLEAN NOT NULL, 
	fs_uniquifier VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	confirmed_at DATETIME, 
	tf_primary_method VARCHAR(64), 
	tf_totp_secret VARCHAR(255), 
	totp_counter BIGINT, 
	mf_recovery_codes TEXT, 
	fs_webauthn_user_handle VARCHAR(64), 
	sso_identity VARCHAR(64), 
	CONSTRAINT pk_users PRIMARY KEY (id), 
	CONSTRAINT uq_users_email UNIQUE (email), 
	CONSTRAINT uq_users_fs_uniquifier UNIQUE (fs_uniquifier), 
	CONSTRAINT uq_users_fs_webauthn_user_handle UNIQUE (fs_webauthn_user_handle), 
	CONSTRAINT uq_users_sso_identity UNIQUE (sso_identity)
);
INSERT INTO "users" VALUES(1,'ada@example.org','$argon2id$v=19$m=8,t=1,p=1$K4Vwbo0RIkQoJeS8d865dw$mVE4sU8auTuuaGuL0ievZ3HbIze5ORwubV3dhu+hrkY',1,1,'1d2006e94cd94835ba4103a6ecb7dac8','2026-11-25 09:07:06.395492','2026-11-25 09:07:06.398776',NULL,NULL,NULL,NULL,'f7943ed6717c43f28a6a5e24c072dfa8',NULL);
INSERT INTO "users" VALUES(2,'grace@example.org',NULL,1,0,'00031e354efb324f05cc3b573e25167e137060acc97f1bd6bf4341c014c5eaaf','2026-11-25 09:07:06.410705',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE INDEX ix_passkeys_user_id ON passkeys (user_id);
CREATE INDEX ix_devices_user_id ON devices (user_id);
CREATE INDEX ix_members_user_id ON members (user_id);
CREATE INDEX ix_invitations_team_id ON invitations (team_id);
CREATE INDEX ix_tokens_user_id ON tokens (user_id);
CREATE INDEX ix_tokens_team_id ON tokens (team_id);
CREATE INDEX ix_audit_team_id ON audit (team_id);
CREATE INDEX ix_keys_project_id ON keys (project_id);
CREATE INDEX ix_happenings_key ON happenings ("key");
CREATE INDEX ix_happenings_until ON happenings (until);
CREATE INDEX ix_claims_at ON claims (at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('projects',1);
COMMIT;
