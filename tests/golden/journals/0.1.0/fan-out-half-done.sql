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
INSERT INTO "answer" VALUES('R-20261101-abcde',15,'choose#1','ana','d81a83cb0fa21e65a82f7ffd47513694');
INSERT INTO "answer" VALUES('R-20261101-abcde',16,'choose#1','bo','d81a83cb0fa21e65a82f7ffd47513694');
INSERT INTO "answer" VALUES('R-20261101-abcde',36,'choose#2','ana','4b4834d650b7cfac66d621e4fb27fa70');
INSERT INTO "answer" VALUES('R-20261101-abcde',39,'choose#2','bo','4b4834d650b7cfac66d621e4fb27fa70');
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
INSERT INTO "attempt" VALUES('R-20261101-abcde','fan','web-1',1,'ended',1,'R-20261101-abcde/fan/web-1');
INSERT INTO "attempt" VALUES('R-20261101-abcde','fan','web-2',1,'running',1,'R-20261101-abcde/fan/web-2');
INSERT INTO "attempt" VALUES('R-20261101-abcde','fan','web-3',1,'running',1,'R-20261101-abcde/fan/web-3');
INSERT INTO "attempt" VALUES('R-20261101-abcde','fan','web-4',1,'ended',1,'R-20261101-abcde/fan/web-4');
INSERT INTO "attempt" VALUES('R-20261101-abcde','look','',1,'ended',1,'R-20261101-abcde/look/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','one','',1,'ended',1,'R-20261101-abcde/one/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','single','',1,'ended',1,'R-20261101-abcde/single/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','three','',1,'ended',1,'R-20261101-abcde/three/engine');
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
INSERT INTO "event" VALUES('R-20261101-abcde',7,'2026-11-01T03:00:00.013000Z','attempt.result','single',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','3cab1b2305e077e7f9b08a4abf80b74971b2f60916fbc968f947016d24486e5f');
INSERT INTO "event" VALUES('R-20261101-abcde',8,'2026-11-01T03:00:00.014000Z','attempt.finished','single',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','4a5ec03b7414cf8807e04eed14ad823c8a2056f8e0aa8bdb0c581114f29b813a');
INSERT INTO "event" VALUES('R-20261101-abcde',9,'2026-11-01T03:00:00.018000Z','attempt.intent','blind',NULL,1,1,'{"describes":["do R-20261101-abcde/blind/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/blind/engine"}','975755f448860ccb38f4d10cf9e7b44651ac9c252522314118fdadecff3fe920');
INSERT INTO "event" VALUES('R-20261101-abcde',10,'2026-11-01T03:00:00.019000Z','attempt.handle','blind',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/blind/engine"}}','3b30ec92f74d9eca4aea7045a06328fb54ab951d14c0d28c4dd2403ce1d7bd8f');
INSERT INTO "event" VALUES('R-20261101-abcde',11,'2026-11-01T03:00:00.020000Z','attempt.result','blind',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','35317397669df87d1007de1b434216fb6bd29963dc996da2dfc342b587dab694');
INSERT INTO "event" VALUES('R-20261101-abcde',12,'2026-11-01T03:00:00.021000Z','attempt.finished','blind',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','5933db74679d842d1b39f99cb4767d5146519766b5792869608f3e8f649afa85');
INSERT INTO "event" VALUES('R-20261101-abcde',13,'2026-11-01T03:00:00.027000Z','question.opened','choose',NULL,NULL,1,'{"question":{"approvers":"leadership","asks":{"en":"Go?","zh":"执行吗"},"card":{},"checklist":[],"chooses":"ladder","decide_by":null,"distinct_from":["cai"],"escalate":[],"evidence":[],"expires":null,"host":null,"id":"choose#1","kind":"gate","max_loss_s":null,"nonce":"d81a83cb0fa21e65a82f7ffd47513694","on_timeout":"fail","opened":"2026-11-01T03:00:00.025000Z","options":[{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":[],"loss_known":false,"loss_s":null,"name":"first","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}},{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":["three"],"loss_known":false,"loss_s":null,"name":"second","p50_s":null,"p90_s":null,"proposed":false,"title":{"en":"","zh":""}}],"plan_hash":"5e0feee67313722f5a4c732ce17542b9554b697a045bea43a6cb4a76bc3f592c","quorum":2,"standing":false,"step":"choose","verdicts":["approve","reject"]}}','2ccb12a15080f0ab078da44085f8e0aa796ee647b1d2aacbf345e221bd7b722d');
INSERT INTO "event" VALUES('R-20261101-abcde',14,'2026-11-01T03:00:00.032000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','e7ad9313c2c0dcb7c71c22194290c4f70d2f69efa8eca2e46527ab28b2c6822b');
INSERT INTO "event" VALUES('R-20261101-abcde',15,'2026-11-01T03:00:00.036000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.035000Z","by":"ana","choice":"first","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#1"}','6b05fe3a6578750636793bfc247ecd9c80a9e68c2e1b1e782a8cf28ce0e47ec5');
INSERT INTO "event" VALUES('R-20261101-abcde',16,'2026-11-01T03:00:00.040000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.039000Z","by":"bo","choice":"first","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#1"}','55ee9cee1205cc6ebe155d336486373f1ac2c3c74d8721e5d80308496660b49d');
INSERT INTO "event" VALUES('R-20261101-abcde',17,'2026-11-01T03:00:00.043000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','1bff837943d9d7397ca4c7f61daca5f8e3999508008effd70a73e3d4e4a543fa');
INSERT INTO "event" VALUES('R-20261101-abcde',18,'2026-11-01T03:00:00.046000Z','question.closed','choose',NULL,NULL,1,'{"answers":["ana","bo"],"because":"","outcome":"approved","question":"choose#1"}','d1c17beda17147b1f38800bd53323e669abc80cbc63a7ddb24943c928742d1cd');
INSERT INTO "event" VALUES('R-20261101-abcde',19,'2026-11-01T03:00:00.046000Z','step.finished','choose',NULL,NULL,1,'{"outputs":{"approved_by":["ana","bo"],"choice":"first","expires":null,"max_loss_s":null,"means":["terminal","terminal"],"reasons":["yes","yes"]},"state":"succeeded"}','0f9c4679dcd2b4fbdaca1799c2de1167757e3a0cea1101eb299a3009e129e324');
INSERT INTO "event" VALUES('R-20261101-abcde',20,'2026-11-01T03:00:00.050000Z','rung.started','ladder',NULL,NULL,1,'{"forecast":{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":[],"loss_known":false,"loss_s":null,"name":"first","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}},"rung":"first"}','1633e437aa8f0a1271d6805242ad5f96d412acd5be92c0bf13e16ace0e445452');
INSERT INTO "event" VALUES('R-20261101-abcde',21,'2026-11-01T03:00:00.054000Z','attempt.intent','one',NULL,1,1,'{"describes":["do R-20261101-abcde/one/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/one/engine"}','d219940022a98939b6bf74e5d79fe65544dd1ce0498ea7dae5447900e409a5be');
INSERT INTO "event" VALUES('R-20261101-abcde',22,'2026-11-01T03:00:00.055000Z','attempt.handle','one',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/one/engine"}}','73ab4982d82462a32f1d16e2b58f10ad491da3e2e509395a1677964fc9ba36f4');
INSERT INTO "event" VALUES('R-20261101-abcde',23,'2026-11-01T03:00:00.056000Z','attempt.result','one',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','b18865f4d4388d634df57f20eb14f4543ec7c0217964e6f70cd1cd6e05d6a830');
INSERT INTO "event" VALUES('R-20261101-abcde',24,'2026-11-01T03:00:00.057000Z','attempt.finished','one',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','e8c2b9bc28d1abeb22b59080b038378bfdb6e0e315f05bff178faf2bcb18105b');
INSERT INTO "event" VALUES('R-20261101-abcde',25,'2026-11-01T03:00:00.061000Z','attempt.intent','two',NULL,1,1,'{"describes":["do R-20261101-abcde/two/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/two/engine"}','485791473b581761958d979f6b5dc63d19e306ca34375206bf03e96fd3c1dc6b');
INSERT INTO "event" VALUES('R-20261101-abcde',26,'2026-11-01T03:00:00.062000Z','attempt.handle','two',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/two/engine"}}','0f34623f6f07872bc8f9f265f12222887af862ed921cc024d8a5f678f316077b');
INSERT INTO "event" VALUES('R-20261101-abcde',27,'2026-11-01T03:00:00.063000Z','attempt.finished','two',NULL,1,1,'{"error":{"code":"refused","effect":"none","facts":{"before":true},"hint":"","message":"no"},"state":"failed"}','cb5f2c75c3fe5370c042e366459256574da160a4870a83bb1cc58e334acbb1da');
INSERT INTO "event" VALUES('R-20261101-abcde',28,'2026-11-01T03:00:00.065000Z','rung.failed','ladder',NULL,NULL,1,'{"because":"step ''two'': no","rung":"first"}','d28da39738dbc750a0d2fc0a627b7e538de4060fec1b61542483e59e31819d4d');
INSERT INTO "event" VALUES('R-20261101-abcde',29,'2026-11-01T03:00:00.068000Z','undo.intent','one',NULL,1,1,'{"describes":["do R-20261101-abcde/one.undo/engine"]}','f9d87929306e07076580466929569f263817e466b101ed191d6461cd30282d5f');
INSERT INTO "event" VALUES('R-20261101-abcde',30,'2026-11-01T03:00:00.070000Z','undo.finished','one',NULL,1,1,'{"state":"undone"}','a0f1a22cf2f5658175ec24d0f1ce9b65d8ccdc3f5fb8492a3ab983c1fb25e75e');
INSERT INTO "event" VALUES('R-20261101-abcde',31,'2026-11-01T03:00:00.072000Z','rung.closed','ladder',NULL,NULL,1,'{"how":"undone","rung":"first"}','da238970628653f806d5cde2f88f7f6e788b2b235d40109f8c6e2e0833602c31');
INSERT INTO "event" VALUES('R-20261101-abcde',32,'2026-11-01T03:00:00.075000Z','step.reopened','choose',NULL,NULL,1,'{"because":"rung ''second'' lies outside the approval","rungs":false}','5c828a3b31d13bd38adb08ef3a2d842acb095edd4aad929a62a92ecab923742b');
INSERT INTO "event" VALUES('R-20261101-abcde',33,'2026-11-01T03:00:00.075000Z','step.reopened','ladder',NULL,NULL,1,'{"because":"rung ''second'' lies outside the approval","rungs":false}','57a692a6e00a04f64175be5cec4cacfe59cabd1dc73a4f7b0a3a153942e5e0c2');
INSERT INTO "event" VALUES('R-20261101-abcde',34,'2026-11-01T03:00:00.081000Z','question.opened','choose',NULL,NULL,1,'{"question":{"approvers":"leadership","asks":{"en":"Go? (asked again: rung ''second'' lies outside the approval)","zh":"执行吗（再次请示：rung ''second'' lies outside the approval）"},"card":{},"checklist":[],"chooses":"ladder","decide_by":null,"distinct_from":["cai"],"escalate":[],"evidence":[],"expires":null,"host":null,"id":"choose#2","kind":"gate","max_loss_s":null,"nonce":"4b4834d650b7cfac66d621e4fb27fa70","on_timeout":"fail","opened":"2026-11-01T03:00:00.079000Z","options":[{"available":false,"basis":{"en":"","zh":""},"because":{"en":"it was tried and failed: step ''two'': no","zh":"已尝试并失败：step ''two'': no"},"irreversible":[],"loss_known":false,"loss_s":null,"name":"first","p50_s":null,"p90_s":null,"proposed":false,"title":{"en":"","zh":""}},{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":["three"],"loss_known":false,"loss_s":null,"name":"second","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}}],"plan_hash":"4c2b1fe5c2d8d83b72d45c8f5c4d3be56c7f6faf4f50cd06ff349660a70807cd","quorum":2,"standing":false,"step":"choose","verdicts":["approve","reject"]}}','ea73f7c2c5bb3094ecc52be3fd1d080badcc2a277a2ac8c785ca2691430c8957');
INSERT INTO "event" VALUES('R-20261101-abcde',35,'2026-11-01T03:00:00.086000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','d4f62cbac2481122126792038ec5bedddbdd1e7ee4bae0edf4fffeb061923ffd');
INSERT INTO "event" VALUES('R-20261101-abcde',36,'2026-11-01T03:00:00.088000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.087000Z","by":"ana","choice":"second","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#2"}','c053caf7ef68c3f8dac8e9bac10f0d1228b1ec6c162d640f65526746fd1d7a2d');
INSERT INTO "event" VALUES('R-20261101-abcde',37,'2026-11-01T03:00:00.093000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','8e210df44730df9af4a28694ee88fa175fb75ac101735b0acd72dac2d30c07c2');
INSERT INTO "event" VALUES('R-20261101-abcde',38,'2026-11-01T03:00:00.096000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','0aacb5b95ab1c29f5119a0a0418314b0e4d374d9ce291e8725f7bb55b8c5e456');
INSERT INTO "event" VALUES('R-20261101-abcde',39,'2026-11-01T03:00:00.098000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.097000Z","by":"bo","choice":"second","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#2"}','7e35951c51622821365bed19e09ebe98caf054a7213eee9a344d97f1c55c6b32');
INSERT INTO "event" VALUES('R-20261101-abcde',40,'2026-11-01T03:00:00.104000Z','question.closed','choose',NULL,NULL,1,'{"answers":["ana","bo"],"because":"","outcome":"approved","question":"choose#2"}','142436b017395cefcaa28dd6f6149de7b5940d8ec477bf31b4f3e65b9efd9301');
INSERT INTO "event" VALUES('R-20261101-abcde',41,'2026-11-01T03:00:00.104000Z','step.finished','choose',NULL,NULL,1,'{"outputs":{"approved_by":["ana","bo"],"choice":"second","expires":null,"max_loss_s":null,"means":["terminal","terminal"],"reasons":["yes","yes"]},"state":"succeeded"}','b0d49acc2c80ae440170a20c1f44d6bdf94cd52c5bbb03c589755bcf10becb6c');
INSERT INTO "event" VALUES('R-20261101-abcde',42,'2026-11-01T03:00:00.105000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','ce0f38be8fdabf91f7ac72bd27a2983d1bc55a22461c8a60c22e670e439146ea');
INSERT INTO "event" VALUES('R-20261101-abcde',43,'2026-11-01T03:00:00.109000Z','rung.started','ladder',NULL,NULL,1,'{"forecast":{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":["three"],"loss_known":false,"loss_s":null,"name":"second","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}},"rung":"second"}','0a123be2a9d2ea26749ab24d22699cd6fa15762943d0b75c0f39e3502e0063ab');
INSERT INTO "event" VALUES('R-20261101-abcde',44,'2026-11-01T03:00:00.113000Z','attempt.intent','three',NULL,1,1,'{"describes":["do R-20261101-abcde/three/engine"],"effect":"irreversible","input":{},"key":"R-20261101-abcde/three/engine"}','d709e3b5708b8c9f559146fae96d168e462f833430ffdbf01b9ef6f7462f902f');
INSERT INTO "event" VALUES('R-20261101-abcde',45,'2026-11-01T03:00:00.115000Z','attempt.handle','three',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/three/engine"}}','e1473e46d0924852fc9c6c27ac68a8f34d9c324cf95af2c060d2fb68be279836');
INSERT INTO "event" VALUES('R-20261101-abcde',46,'2026-11-01T03:00:00.117000Z','attempt.result','three',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','aacf2765ad8b04eee13d36b544f00b8d6dc305b5ccc9b26be3e34ee8d97c5a95');
INSERT INTO "event" VALUES('R-20261101-abcde',47,'2026-11-01T03:00:00.118000Z','attempt.finished','three',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','92f2f318aa7c0df03fb14ba486c6535710224fdd85b70a04756fb8ce55bd9372');
INSERT INTO "event" VALUES('R-20261101-abcde',48,'2026-11-01T03:00:00.120000Z','step.finished','ladder',NULL,NULL,1,'{"outputs":{"rung":"second","value":1},"state":"succeeded"}','b73b7e51c35f5849c7143baa68127685acf449afa51e853d814f2ec9101faf28');
INSERT INTO "event" VALUES('R-20261101-abcde',49,'2026-11-01T03:00:00.123000Z','step.planned','fan',NULL,NULL,1,'{"batches":[["web-1"],["web-2","web-3","web-4"]],"hosts":["web-1","web-2","web-3","web-4"]}','53f5f03ce5a2cfc3d8bcc04d09bf048b5a6b9352d94800ab682e6f0cc112acb7');
INSERT INTO "event" VALUES('R-20261101-abcde',50,'2026-11-01T03:00:00.127000Z','attempt.intent','fan','web-1',1,1,'{"describes":["do R-20261101-abcde/fan/web-1"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-1"}','86d42bc374d9b186175737f3cae0dd58b25c76bb3391f132e93ec170c1b7984c');
INSERT INTO "event" VALUES('R-20261101-abcde',51,'2026-11-01T03:00:00.128000Z','attempt.handle','fan','web-1',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-1"}}','ddf532510f09cdf11b4162a77eba5ea5fd4e21049bbf4c56e924a1c1aa2140d0');
INSERT INTO "event" VALUES('R-20261101-abcde',52,'2026-11-01T03:00:00.131000Z','attempt.result','fan','web-1',1,1,'{"facts":{},"outputs":{"value":1}}','51b77b2ebfbcfaa99b13d92fece962cdc3eac1b6de2189e7e5a6b62bc47cc73a');
INSERT INTO "event" VALUES('R-20261101-abcde',53,'2026-11-01T03:00:00.132000Z','attempt.finished','fan','web-1',1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','33a2a28777acf1d9629a537f5346c2e441a17868c712e5229aae90e4032472bd');
INSERT INTO "event" VALUES('R-20261101-abcde',54,'2026-11-01T03:00:00.139000Z','attempt.intent','fan','web-3',1,1,'{"describes":["do R-20261101-abcde/fan/web-3"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-3"}','37e35d0c7807d22b53c135e5f9ca12359fc84c0c7478dc2cda8bbc874664cb10');
INSERT INTO "event" VALUES('R-20261101-abcde',55,'2026-11-01T03:00:00.140000Z','attempt.intent','fan','web-4',1,1,'{"describes":["do R-20261101-abcde/fan/web-4"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-4"}','d24206d9f1ca991ea65d9479ce26986ffe5a444b33d9746ca48d9e5f834a1271');
INSERT INTO "event" VALUES('R-20261101-abcde',56,'2026-11-01T03:00:00.140000Z','attempt.intent','fan','web-2',1,1,'{"describes":["do R-20261101-abcde/fan/web-2"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-2"}','2073e02c78983773758cfa12ac54bdfec62b2092911c14d514fe0a9fe46d91c7');
INSERT INTO "event" VALUES('R-20261101-abcde',57,'2026-11-01T03:00:00.141000Z','attempt.handle','fan','web-3',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-3"}}','75ec2e9d12f0b942c7915abdb68fce87da74615858712ea5746b04d796e731c7');
INSERT INTO "event" VALUES('R-20261101-abcde',58,'2026-11-01T03:00:00.141000Z','attempt.handle','fan','web-4',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-4"}}','1545cff9052a141012f7edfe7da988c03cf6d846bd02a7219d52dfe8761a14fa');
INSERT INTO "event" VALUES('R-20261101-abcde',59,'2026-11-01T03:00:00.142000Z','attempt.result','fan','web-4',1,1,'{"facts":{},"outputs":{"value":1}}','8a74a7d8ca9fb734e1f1554bdc0df4a0acf614ed0dcc12be2777dcc61878b196');
INSERT INTO "event" VALUES('R-20261101-abcde',60,'2026-11-01T03:00:00.145000Z','attempt.handle','fan','web-2',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-2"}}','93adfb23c397ebd2fb500e443a597f656d481d5f9589aa211fec044cb7941dcc');
INSERT INTO "event" VALUES('R-20261101-abcde',61,'2026-11-01T03:00:00.146000Z','attempt.result','fan','web-3',1,1,'{"facts":{},"outputs":{"value":1}}','13ee7f0a8daab65a0e9ff375a404cbaae608f94b1fe831ce464dacc1d7b5f09b');
INSERT INTO "event" VALUES('R-20261101-abcde',62,'2026-11-01T03:00:00.146000Z','attempt.finished','fan','web-4',1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','0774065a0e0caab6f93ef6f52f26eae749d699b3b41a53e5968207770ce54221');
INSERT INTO "event" VALUES('R-20261101-abcde',63,'2026-11-01T03:00:00.146000Z','attempt.result','fan','web-2',1,1,'{"facts":{},"outputs":{"value":1}}','fd93fada5225c91c4483e0c396d65627712a0661c1f090f2ef68055671b3d61f');
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
INSERT INTO "question" VALUES('R-20261101-abcde','choose#1','choose','gate','closed','d81a83cb0fa21e65a82f7ffd47513694','approved',13);
INSERT INTO "question" VALUES('R-20261101-abcde','choose#2','choose','gate','closed','4b4834d650b7cfac66d621e4fb27fa70','approved',34);
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
INSERT INTO "run" VALUES('R-20261101-abcde','golden','51f335deae9a6e78a20101268d372c7769861f9fc4f9e47b9182d296838a91f6','made-up.yaml','lab','real','cai','2026-11-01T03:00:00.000000Z','[]','{}','running',1,63,'fd93fada5225c91c4483e0c396d65627712a0661c1f090f2ef68055671b3d61f','2026-11-01T03:00:00.146000Z');
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
