BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE answer (
	run TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	question TEXT NOT NULL, 
	"by" TEXT NOT NULL, 
	nonce TEXT NOT NULL, 
	CONSTRAINT pk_answer PRIMARY KEY (run, seq), 
	CONSTRAINT uq_answer_run_question_by UNIQUE (run, question, "by"), 
	CONSTRAINT fk_answer_question FOREIGN KEY(run, question) REFERENCES question (run, id)
);
INSERT INTO "answer" VALUES('R-20261101-abcde',15,'choose#1','ana','edf996460b2e37cff38942a48aea860d');
INSERT INTO "answer" VALUES('R-20261101-abcde',18,'choose#1','bo','edf996460b2e37cff38942a48aea860d');
CREATE TABLE attempt (
	run TEXT NOT NULL, 
	step TEXT NOT NULL, 
	host TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	epoch INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	CONSTRAINT pk_attempt PRIMARY KEY (run, step, host, number), 
	CONSTRAINT fk_attempt_run FOREIGN KEY(run) REFERENCES run (id), 
	CONSTRAINT ck_attempt_state CHECK (state IN ('queued', 'running', 'ended', 'in_doubt'))
)
 WITHOUT ROWID

;
INSERT INTO "attempt" VALUES('R-20261101-abcde','blind','',1,'ended',1,'R-20261101-abcde/blind/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','look','',1,'ended',1,'R-20261101-abcde/look/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','one','',1,'ended',1,'R-20261101-abcde/one/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','single','',1,'ended',1,'R-20261101-abcde/single/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','two','',1,'ended',1,'R-20261101-abcde/two/engine');
CREATE TABLE event (
	run TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	step TEXT, 
	host TEXT, 
	attempt INTEGER, 
	epoch INTEGER NOT NULL, 
	data TEXT NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT uq_event_run_seq PRIMARY KEY (run, seq), 
	CONSTRAINT fk_event_run FOREIGN KEY(run) REFERENCES run (id)
)
 WITHOUT ROWID

;
INSERT INTO "event" VALUES('R-20261101-abcde',1,'2026-11-01T03:00:00.002000Z','run.created',NULL,NULL,NULL,0,'{"record_sha256":"4dd98b3c9633c2e40e0251252630a8f72d4bf827a9c4c49f3e917378d8d72490","runbook":"golden"}','4315ac0077aae9604d79269b625e7aeeb44f0c3ab72dfc5f972ac64b59667ef9');
INSERT INTO "event" VALUES('R-20261101-abcde',2,'2026-11-01T03:00:00.003000Z','run.lease',NULL,NULL,NULL,1,'{"epoch":1,"holder":"engine 1"}','4c154f51d69ac33220527353654912ea1029ffc67718b9b64912fff6d01c5b5d');
INSERT INTO "event" VALUES('R-20261101-abcde',3,'2026-11-01T03:00:00.007000Z','attempt.intent','look',NULL,1,1,'{"effect":"read","input":{}}','9efc6cb03858768ddcc7cd0e180a717b0ac25cc5d411f96a546100ff6fda7ab9');
INSERT INTO "event" VALUES('R-20261101-abcde',4,'2026-11-01T03:00:00.008000Z','attempt.finished','look',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','b296c7b2a09d191ac0cb2fddf36aa4186cf510e9290c34f20e5ea1eafffc3b00');
INSERT INTO "event" VALUES('R-20261101-abcde',5,'2026-11-01T03:00:00.011000Z','attempt.intent','single',NULL,1,1,'{"describes":["do R-20261101-abcde/single/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/single/engine"}','0cb70329ccf0fa94d9e1011fadfde4ae73401b67d52d91214611f14fe8924e40');
INSERT INTO "event" VALUES('R-20261101-abcde',6,'2026-11-01T03:00:00.012000Z','attempt.handle','single',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/single/engine"}}','dc198fb922fb4c4531a1fdc7a03579ab27e78d548a030f364753ba632d32fcf4');
INSERT INTO "event" VALUES('R-20261101-abcde',7,'2026-11-01T03:00:00.014000Z','attempt.result','single',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','4d036a82bddc676798f793b22221112e7af8553358cf631352f69a4659eb7dd2');
INSERT INTO "event" VALUES('R-20261101-abcde',8,'2026-11-01T03:00:00.015000Z','attempt.finished','single',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','7b31769159c8d73d98c6718c8673156525e7675daff41512d842da8248e09a6d');
INSERT INTO "event" VALUES('R-20261101-abcde',9,'2026-11-01T03:00:00.018000Z','attempt.intent','blind',NULL,1,1,'{"describes":["do R-20261101-abcde/blind/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/blind/engine"}','ac0dfe7dfce7a6c49148d8e74fcb2357c35062598f501de08f3a6cab6a2553cc');
INSERT INTO "event" VALUES('R-20261101-abcde',10,'2026-11-01T03:00:00.019000Z','attempt.handle','blind',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/blind/engine"}}','49b14b480f8bdcdaf52b0aa48047bbc1a5af5e8ffa026c3951532099840b8f91');
INSERT INTO "event" VALUES('R-20261101-abcde',11,'2026-11-01T03:00:00.020000Z','attempt.result','blind',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','8903ad6e8c8ab166cdb027f61ab71650d25412a46d25540961146ef868a06255');
INSERT INTO "event" VALUES('R-20261101-abcde',12,'2026-11-01T03:00:00.022000Z','attempt.finished','blind',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','d89371257fc3f901417140eb3e5a61fb6db3cf3d4ccf57ed13fe6ffe3f64d337');
INSERT INTO "event" VALUES('R-20261101-abcde',13,'2026-11-01T03:00:00.027000Z','question.opened','choose',NULL,NULL,1,'{"question":{"approvers":"leadership","asks":{"en":"Go?","zh":"执行吗"},"card":{},"checklist":[],"chooses":"ladder","decide_by":null,"distinct_from":["cai"],"escalate":[],"evidence":[],"expires":null,"host":null,"id":"choose#1","kind":"gate","max_loss_s":null,"nonce":"edf996460b2e37cff38942a48aea860d","on_timeout":"fail","opened":"2026-11-01T03:00:00.026000Z","options":[{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":[],"loss_known":false,"loss_s":null,"name":"first","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}},{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":["three"],"loss_known":false,"loss_s":null,"name":"second","p50_s":null,"p90_s":null,"proposed":false,"title":{"en":"","zh":""}}],"plan_hash":"5e0feee67313722f5a4c732ce17542b9554b697a045bea43a6cb4a76bc3f592c","quorum":2,"standing":false,"step":"choose","verdicts":["approve","reject"]}}','f1ac47b9564287215ddfb5626eae83c5bc9d267fc0eb8a3c21cde110cfcc0735');
INSERT INTO "event" VALUES('R-20261101-abcde',14,'2026-11-01T03:00:00.034000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','e6b78d4c466c161d80273d15d07a3bf80bc748847d8eaba4b7859942821fff4c');
INSERT INTO "event" VALUES('R-20261101-abcde',15,'2026-11-01T03:00:00.036000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.035000Z","by":"ana","choice":"first","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#1"}','3caa32da2f73461f3d23e75be4d07681f172a92a92cdf245417af97bd61305b5');
INSERT INTO "event" VALUES('R-20261101-abcde',16,'2026-11-01T03:00:00.041000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','e5ee338bb15871019a0efb44fc8e1af245c4ef35720ae40a44d0a2a72db3fdfd');
INSERT INTO "event" VALUES('R-20261101-abcde',17,'2026-11-01T03:00:00.044000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','dd04138de29b69bfee8ebce627fb4947377bf702b5a37be905bceb67d4d439d5');
INSERT INTO "event" VALUES('R-20261101-abcde',18,'2026-11-01T03:00:00.048000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.047000Z","by":"bo","choice":"first","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#1"}','7b133d45638175bc1af039a73bba38de01330e7f51219a99bc120beb58e4ee44');
INSERT INTO "event" VALUES('R-20261101-abcde',19,'2026-11-01T03:00:00.051000Z','question.closed','choose',NULL,NULL,1,'{"answers":["ana","bo"],"because":"","outcome":"approved","question":"choose#1"}','f1443d4f9bfeedfe4f2f7becf5c412a6299f36766c82224e8f805a5497ab938e');
INSERT INTO "event" VALUES('R-20261101-abcde',20,'2026-11-01T03:00:00.051000Z','step.finished','choose',NULL,NULL,1,'{"outputs":{"approved_by":["ana","bo"],"choice":"first","expires":null,"max_loss_s":null,"means":["terminal","terminal"],"reasons":["yes","yes"]},"state":"succeeded"}','ac20d613dcc5b765194f41381d1e71cb088eba422c8728ca8aeb42d74eb4182f');
INSERT INTO "event" VALUES('R-20261101-abcde',21,'2026-11-01T03:00:00.052000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','0e6f48e53c8d627db7d49ad9e9ebe05bbd68db2ba92653b5312969eb791a0e35');
INSERT INTO "event" VALUES('R-20261101-abcde',22,'2026-11-01T03:00:00.056000Z','rung.started','ladder',NULL,NULL,1,'{"forecast":{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":[],"loss_known":false,"loss_s":null,"name":"first","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}},"rung":"first"}','c0812f97e28abbd117ec98f18bfd8da47c134002201b8c198a83a13950a3faea');
INSERT INTO "event" VALUES('R-20261101-abcde',23,'2026-11-01T03:00:00.059000Z','attempt.intent','one',NULL,1,1,'{"describes":["do R-20261101-abcde/one/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/one/engine"}','a34a8666e7509c9c245813c6e999ffb7ccaa85ef184ef295b17b77cc1c941939');
INSERT INTO "event" VALUES('R-20261101-abcde',24,'2026-11-01T03:00:00.062000Z','attempt.handle','one',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/one/engine"}}','83e077c211a108e4ec38d109b230d6201f973f5c194409a54c3dd46107a529e9');
INSERT INTO "event" VALUES('R-20261101-abcde',25,'2026-11-01T03:00:00.063000Z','attempt.result','one',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','66252b493ad8fb935cd335dd51afb231aed9cc402ed59fd32854357cee90ad1c');
INSERT INTO "event" VALUES('R-20261101-abcde',26,'2026-11-01T03:00:00.064000Z','attempt.finished','one',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','1a10fb9901aca51d3a014d268acbb806b00fa9eee24f6900c40a143fa93f1fe6');
INSERT INTO "event" VALUES('R-20261101-abcde',27,'2026-11-01T03:00:00.068000Z','attempt.intent','two',NULL,1,1,'{"describes":["do R-20261101-abcde/two/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/two/engine"}','770613af9323e9158a921533e57ad0220068fd8e58e0874736f42c03ecc233e8');
INSERT INTO "event" VALUES('R-20261101-abcde',28,'2026-11-01T03:00:00.069000Z','attempt.handle','two',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/two/engine"}}','ec6636a1981cb40222b4ff2911d0da9288a7eefcb9982ca4d32aa69f7d3cd05e');
INSERT INTO "event" VALUES('R-20261101-abcde',29,'2026-11-01T03:00:00.071000Z','attempt.finished','two',NULL,1,1,'{"error":{"code":"refused","effect":"none","facts":{"before":true},"hint":"","message":"no"},"state":"failed"}','8e092349feb174dd4482f5595dba78d7eb171e0fd6d2e8711ef80905221d9a4e');
INSERT INTO "event" VALUES('R-20261101-abcde',30,'2026-11-01T03:00:00.073000Z','rung.failed','ladder',NULL,NULL,1,'{"because":"step ''two'': no","rung":"first"}','c59ff2451794302f01fd13f9bd18ce91a943ceb5b23b1c0f4040ed2adaca3212');
CREATE TABLE question (
	run TEXT NOT NULL, 
	id TEXT NOT NULL, 
	step TEXT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	nonce TEXT NOT NULL, 
	outcome TEXT, 
	seq INTEGER NOT NULL, 
	CONSTRAINT pk_question PRIMARY KEY (run, id), 
	CONSTRAINT fk_question_run FOREIGN KEY(run) REFERENCES run (id), 
	CONSTRAINT ck_question_state CHECK (state IN ('open', 'closed'))
);
INSERT INTO "question" VALUES('R-20261101-abcde','choose#1','choose','gate','closed','edf996460b2e37cff38942a48aea860d','approved',13);
CREATE TABLE run (
	id TEXT NOT NULL, 
	runbook TEXT NOT NULL, 
	runbook_sha256 TEXT NOT NULL, 
	file TEXT NOT NULL, 
	environment TEXT NOT NULL, 
	mode VARCHAR(32) NOT NULL, 
	requester TEXT NOT NULL, 
	created VARCHAR(27) NOT NULL, 
	locks TEXT NOT NULL, 
	title TEXT NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	epoch INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_run PRIMARY KEY (id)
);
INSERT INTO "run" VALUES('R-20261101-abcde','golden','51f335deae9a6e78a20101268d372c7769861f9fc4f9e47b9182d296838a91f6','made-up.yaml','lab','real','cai','2026-11-01T03:00:00.000000Z','[]','{}','running',1,30,'c59ff2451794302f01fd13f9bd18ce91a943ceb5b23b1c0f4040ed2adaca3212','2026-11-01T03:00:00.073000Z');
CREATE TABLE run_lock (
	name TEXT NOT NULL, 
	run TEXT NOT NULL, 
	CONSTRAINT pk_run_lock PRIMARY KEY (name), 
	CONSTRAINT fk_run_lock_run FOREIGN KEY(run) REFERENCES run (id)
);
CREATE TABLE snapshot (
	run TEXT NOT NULL, 
	source TEXT NOT NULL, 
	inputs TEXT NOT NULL, 
	inventory TEXT NOT NULL, 
	CONSTRAINT pk_snapshot PRIMARY KEY (run), 
	CONSTRAINT fk_snapshot_run FOREIGN KEY(run) REFERENCES run (id)
);
INSERT INTO "snapshot" VALUES('R-20261101-abcde','format: 1
name: golden
title: { en: Golden, zh: 样本 }
objectives: { rto: 4h, rpo: 15m }
locks: ["service:registry"]
inputs:
  - { id: reason, type: string, default: "a drill" }
steps:
  - {id: look, uses: do.look, effect: read, needs: []}
  - {id: single, uses: do.it, effect: once}
  - {id: blind, uses: do.blind, effect: once}
  - id: choose
    uses: gate.approve
    with:
      ask: { en: Go?, zh: 执行吗 }
      approvers: { group: leadership }
      quorum: 2
      chooses: ladder
  - id: ladder
    try:
      - name: first
        steps:
          - {id: one, uses: do.it, effect: once}
          - {id: two, uses: do.bad, effect: once}
      - name: second
        steps:
          - {id: three, uses: do.it, effect: irreversible}
  - id: fan
    uses: do.it
    hosts: web
    effect: once
    strategy: { batches: [1, "100%"] }
  - {id: person, uses: human.task, with: { group: support, instructions: { en: x, zh: x } }}
finally:
  - {id: report, uses: do.it, effect: idempotent}
','{}','{"groups":{"web":["web-1","web-2","web-3","web-4"]},"hosts":{"db-a":{},"db-b":{},"web-1":{},"web-2":{},"web-3":{},"web-4":{}},"people":{"ana":{},"bo":{},"cai":{}},"people_groups":{"leadership":{"members":["ana","bo"]}},"services":{"registry":{"title":{"en":"registry","zh":""}}}}');
CREATE TABLE worker (
	run TEXT NOT NULL, 
	holder TEXT NOT NULL, 
	epoch INTEGER NOT NULL, 
	renewed_at DATETIME, 
	expires_at DATETIME, 
	CONSTRAINT pk_worker PRIMARY KEY (run), 
	CONSTRAINT fk_worker_run FOREIGN KEY(run) REFERENCES run (id)
);
CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'events are only ever added'); END;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'events are only ever added'); END;
COMMIT;
