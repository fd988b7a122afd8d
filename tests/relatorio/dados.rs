//! O JSON e o CSV: as chaves, as linhas e os números.

use super::*;

#[test]
fn o_json_tem_as_chaves_do_formato_2_e_os_numeros_do_terminal_e_do_servidor() {
    let mut servidor = Servidor::abrir(&[]);
    let relatos = Relatos::de(
        servidor.endereco(),
        "--usuarios 20 --ciclos 3..5 --reconectar --rampa 1s --exigir falhas=0",
    );
    let Relatos { fim, .. } = &relatos;
    assert_eq!((fim.codigo, veredito(fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    let json = relatos.json();

    tem_so(
        &json,
        "formato comando parametros resumo vereditos consistente contradicoes violacoes observacoes exigencias \
         vendas avisos_s vazao",
    );
    assert_eq!((&json["formato"], &json["consistente"]), (&Value::from(2), &Value::from(true)));
    tem_so(&json["vereditos"], "estoque aviso");
    for (qual, nome) in [("estoque", "consistente"), ("aviso", "certo")] {
        tem_so(&json["vereditos"][qual], "veredito texto");
        assert_eq!(json["vereditos"][qual]["veredito"], nome);
    }
    assert_eq!(json["vereditos"]["aviso"]["texto"], veredito_do_aviso(fim));
    assert_eq!(json["contradicoes"], 0);
    assert_eq!((lista(&json["violacoes"]).len(), lista(&json["observacoes"]).len()), (0, 0));
    tem_so(&json["exigencias"][0], "texto medido cumprida");

    let parametros = &json["parametros"];
    tem_so(
        parametros,
        "servidor usuarios threads ciclos decisao_s escuta_s acelerar rampa_s reconectar fim_de_linha \
         estoque semente etapas pedidos",
    );
    for faixa in ["ciclos", "decisao_s", "escuta_s"] {
        tem_so(&parametros[faixa], "de ate");
    }
    let pedidos = serde_json::json!({
        "servidor": servidor.endereco().to_string(),
        "usuarios": 20,
        "threads": 20,
        "ciclos": { "de": 3, "ate": 5 },
        "decisao_s": { "de": 0.5, "ate": 3.0 },
        "escuta_s": { "de": 5.0, "ate": 10.0 },
        "acelerar": 100.0,
        "rampa_s": 1.0,
        "reconectar": true,
        "pedidos": false,
        "fim_de_linha": "lf",
        "estoque": null,
        "semente": conta(fim, "semente"),
        "etapas": null,
    });
    assert_eq!(*parametros, pedidos);

    let resumo = &json["resumo"];
    tem_so(
        resumo,
        "usuarios pico ciclos ciclos_previstos consultas vendas recusas de_outro_modo fora_de_alcance \
         sem_resposta avisos servidores \
         espalhamento_s duracao_s espera_do_aviso_s vazao interrompida falhas latencias latencias_do_envio chegadas",
    );
    assert_eq!((&resumo["interrompida"], &resumo["usuarios"]), (&false.into(), &20.into()));
    assert_eq!((&resumo["chegadas"], &resumo["latencias_do_envio"]), (&Value::Null, &Value::Null));
    tem_so(&resumo["falhas"], "");
    tem_so(&resumo["de_outro_modo"], "consultar comprar primeira");
    tem_so(&resumo["sem_resposta"], "consultar comprar");
    tem_so(&resumo["fora_de_alcance"], "consultar comprar");
    let [unico] = lista(&resumo["servidores"]) else { panic!("há um só: {resumo}") };
    tem_so(
        unico,
        "servidor conexoes quedas consultas vendas recusas fora_de_alcance sem_resposta avisos",
    );
    assert_eq!((&unico["servidor"], &unico["vendas"]), (&parametros["servidor"], &10.into()));
    for (chave, nome) in [
        ("ciclos", "ciclos"),
        ("consultas", "consultas"),
        ("vendas", "vendas"),
        ("recusas", "recusas"),
        ("avisos", "AVISOs"),
    ] {
        assert_eq!(resumo[chave], conta(fim, nome), "{nome}");
    }
    assert_eq!(resumo["ciclos_previstos"], resumo["ciclos"]);
    let pico = format!("(pico de {} ao mesmo tempo)", resumo["pico"]);
    assert!(fim.saida.contains(&pico), "{pico}: {}", fim.saida);

    tem_so(&resumo["latencias"], "consultar comprar");
    for (chave, nome) in [("consultar", "CONSULTAR"), ("comprar", "COMPRAR")] {
        let latencias = &resumo["latencias"][chave];
        tem_so(latencias, "amostras p50_s p90_s p99_s p999_s maximo_s");
        assert_eq!(latencias["amostras"], resumo["ciclos"]);
        let tempos = ["p50_s", "p90_s", "p99_s", "p999_s", "maximo_s"];
        let tempos = tempos.map(|nome| latencias[nome].as_f64().unwrap());
        assert!(tempos.is_sorted(), "{tempos:?}");
        let do_terminal = latencias_do_terminal(fim, nome);
        assert_eq!(do_terminal.len(), tempos.len());
        for (tempo, dito) in tempos.iter().zip(do_terminal) {
            // No terminal, três algarismos.
            assert!((tempo - dito).abs() <= dito * 0.006, "{tempo} não é {dito}");
        }
    }

    // O servidor conta as mesmas vendas.
    let contas = servidor.encerrar();
    assert_eq!(resumo["vendas"], contas.conta("vendas"));
    assert_eq!(resumo["recusas"], contas.conta("recusas (esgotado)"));
    // E a visita, que só escuta o AVISO.
    assert_eq!(resumo["ciclos"].as_u64(), Some(contas.conta("conexões atendidas") - 1));
}

#[test]
fn os_tempos_do_json_sao_possiveis_e_as_vendas_descem_uma_a_uma() {
    let servidor = Servidor::abrir(&[]);
    let relatos = Relatos::de(servidor.endereco(), "--usuarios 20 --ciclos 3");
    let json = relatos.json();
    let resumo = &json["resumo"];
    let duracao = resumo["duracao_s"].as_f64().unwrap();

    let vendas = lista(&json["vendas"]);
    let restantes: Vec<i64> = vendas.iter().map(|v| v["restante"].as_i64().unwrap()).collect();
    assert_eq!(restantes, (0..10).rev().collect::<Vec<_>>());
    let mut anterior = 0.0;
    for venda in vendas {
        tem_so(venda, "instante_s chegou_s restante servidor");
        let (instante, chegou) = (&venda["instante_s"], &venda["chegou_s"]);
        let (instante, chegou) = (instante.as_f64().unwrap(), chegou.as_f64().unwrap());
        assert!(0.0 < instante && instante <= chegou && chegou <= duracao, "{venda}");
        assert!(anterior <= instante, "antes da anterior: {venda}");
        anterior = instante;
    }

    let avisos = numeros(&json["avisos_s"]);
    assert_eq!(avisos.len() as u64, conta(&relatos.fim, "AVISOs"));
    assert!(avisos.is_sorted() && avisos.iter().all(|aviso| *aviso <= duracao), "{avisos:?}");
    let espalhamento = resumo["espalhamento_s"].as_f64().unwrap();
    let das_pontas = avisos.last().unwrap() - avisos.first().unwrap();
    assert!((espalhamento - das_pontas).abs() < 1e-6, "{espalhamento} não é {das_pontas}");

    let vazao = &json["vazao"];
    tem_so(vazao, "largura_s respostas");
    let respostas: f64 = numeros(&vazao["respostas"]).iter().sum();
    assert_eq!(respostas, 2.0 * 60.0, "uma de cada ciclo");
    let media = resumo["vazao"].as_f64().unwrap();
    assert!((media - respostas / duracao).abs() < 1e-6 * media, "{media}");
    let ate = vazao["largura_s"].as_f64().unwrap() * numeros(&vazao["respostas"]).len() as f64;
    let largura = vazao["largura_s"].as_f64().unwrap();
    assert!(ate - largura <= duracao, "há fatias ({ate} s) depois do fim ({duracao} s)");
}

#[test]
fn o_comando_do_json_copiado_em_um_shell_repete_os_ciclos() {
    let servidor = Servidor::abrir(&[]);
    let relatos = Relatos::de(
        servidor.endereco(),
        "--usuarios 10 --ciclos 1..9 --escuta 1s --exigir p99(comprar)<1h",
    );
    let primeiro = relatos.json();
    let comando = primeiro["comando"].as_str().unwrap();
    let semente = conta(&relatos.fim, "semente");
    assert!(comando.ends_with(&format!("--semente {semente}")), "{comando}");
    let opcoes = comando.strip_prefix("cargo run -p cliente -- ").expect(comando);
    let linha = format!("exec '{}' {opcoes}", binario("cliente").display());
    let mut shell = Command::new("sh");
    shell.args(["-c", &linha]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let fim = Processo::iniciar(shell).termino();
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
    // Escreveu nos mesmos arquivos, e nada mais mudou do que se pode repetir.
    let segundo = relatos.json();
    assert_eq!(segundo["comando"], primeiro["comando"]);
    assert_eq!(segundo["parametros"], primeiro["parametros"]);
    for conta in ["ciclos", "ciclos_previstos", "consultas"] {
        assert_eq!(segundo["resumo"][conta], primeiro["resumo"][conta], "{conta}");
    }
    assert_eq!(segundo["resumo"]["vendas"], 0, "o mesmo servidor, já esgotado");
}

#[test]
fn o_json_de_um_servidor_inconsistente_tem_as_provas() {
    let relatos =
        Relatos::de(quem_vende_sempre_a_mesma(), "--usuarios 2 --ciclos 1 --exigir vendas>2");
    let Relatos { fim, .. } = &relatos;
    // A exigência também não se cumpriu; a inconsistência é mais grave.
    assert_eq!(fim.codigo, Some(3), "{fim:?}");
    assert!(fim.saida.contains("Exigência NÃO CUMPRIDA: vendas>2 (2)\n"), "{}", fim.saida);
    let json = relatos.json();
    assert_eq!((&json["consistente"], &json["contradicoes"]), (&false.into(), &1.into()));
    let [violacao] = lista(&json["violacoes"]) else { panic!("{json:#}") };
    tem_so(violacao, "regra quando_s texto provas");
    assert_eq!(violacao["regra"], "venda-repetida");
    let texto = violacao["texto"].as_str().unwrap();
    assert_eq!(veredito(fim), format!("Veredito: INCONSISTENTE: {texto}"));
    let duracao = json["resumo"]["duracao_s"].as_f64().unwrap();
    let provas = lista(&violacao["provas"]);
    let mut usuarios = Vec::new();
    for prova in provas {
        tem_so(prova, "usuario servidor pedido ouvido valor enviada_s chegou_s");
        usuarios.push(prova["usuario"].as_u64().unwrap());
        assert_eq!((&prova["pedido"], &prova["valor"]), (&"COMPRAR".into(), &9.into()));
        assert_eq!(prova["ouvido"], "comprou, restaram 9");
        let instantes = ["enviada_s", "chegou_s"].map(|nome| prova[nome].as_f64().unwrap());
        assert!(0.0 < instantes[0] && instantes[0] <= instantes[1], "{prova}");
        assert!(instantes[1] <= duracao, "{prova}");
    }
    usuarios.sort_unstable();
    assert_eq!(usuarios, [1, 2]);
    // A contradição se completa quando chega a segunda das respostas.
    let chegou = provas.iter().map(|prova| prova["chegou_s"].as_f64().unwrap()).fold(0.0, f64::max);
    assert_eq!(violacao["quando_s"].as_f64().unwrap(), chegou);
}

#[test]
fn o_aviso_nas_provas_nao_tem_envio() {
    let mut estoque = 1;
    let endereco = servidor_que(move |comando| match (comando, estoque) {
        ("CONSULTAR", _) => format!("Estoque atual: {estoque}\n"),
        (_, 0) => "ERRO: Produto esgotado\n".into(),
        _ => {
            estoque = 0;
            let aviso = "AVISO: O estoque acabou de esgotar!\n";
            format!("Compra realizada. Estoque restante: 0\n{aviso}{aviso}")
        }
    });
    let relatos = Relatos::de(endereco, "--usuarios 1 --ciclos 2");
    assert_eq!(relatos.fim.codigo, Some(5), "{:?}", relatos.fim);
    let json = relatos.json();
    let violacao = &json["violacoes"][0];
    assert_eq!(violacao["regra"], "aviso-repetido");
    // Só o AVISO está errado, e a página o diz dos dois.
    assert_eq!((&json["consistente"], &json["contradicoes"]), (&true.into(), &1.into()));
    assert_eq!(json["vereditos"]["aviso"]["veredito"], "repetido");
    let html = relatos.html();
    for selo in [">CONSISTENTE<", ">AVISO repetido<"] {
        assert!(html.contains(selo), "{selo}: {html}");
    }
    for prova in lista(&violacao["provas"]) {
        assert_eq!((&prova["enviada_s"], &prova["pedido"]), (&Value::Null, &Value::Null));
        assert!(prova["chegou_s"].is_f64(), "{prova}");
    }
}

#[test]
fn o_csv_tem_uma_linha_por_operacao_e_uma_por_aviso() {
    let servidor = Servidor::abrir(&[]);
    let relatos = Relatos::de(servidor.endereco(), "--usuarios 20 --ciclos 2..4");
    let (fim, linhas, json) = (&relatos.fim, relatos.csv(), relatos.json());
    let (ciclos, vendas, recusas) =
        (conta(fim, "ciclos"), conta(fim, "vendas"), conta(fim, "recusas"));
    assert_eq!(quantas(&linhas, "CONSULTAR", "leu"), ciclos);
    assert_eq!(quantas(&linhas, "COMPRAR", "comprou"), vendas);
    assert_eq!(quantas(&linhas, "COMPRAR", "recusado"), recusas);
    assert_eq!(quantas(&linhas, "AVISO", "aviso"), conta(fim, "AVISOs"));
    assert_eq!(linhas.len() as u64, 2 * ciclos + conta(fim, "AVISOs"), "e mais nada");

    let duracao = json["resumo"]["duracao_s"].as_f64().unwrap();
    let mut vendidas = Vec::new();
    let mut ultima: BTreeMap<u64, f64> = BTreeMap::new();
    for linha in &linhas {
        assert!((1..=20).contains(&linha.usuario), "{linha:?}");
        let chegou = linha.chegou.unwrap();
        assert!(chegou <= duracao, "{linha:?}");
        if linha.pedido == "AVISO" {
            assert_eq!((linha.enviada, linha.valor.as_str()), (None, ""), "{linha:?}");
            continue;
        }
        let enviada = linha.enviada.unwrap();
        let antes = ultima.insert(linha.usuario, chegou).unwrap_or(0.0);
        assert!(antes <= enviada && enviada <= chegou, "um pedido de cada vez: {linha:?}");
        match linha.resultado.as_str() {
            "comprou" => vendidas.push(linha.valor.parse::<i64>().unwrap()),
            "recusado" => assert_eq!(linha.valor, ""),
            _ => assert!((0..=10).contains(&linha.valor.parse().unwrap()), "{linha:?}"),
        }
    }
    vendidas.sort_unstable();
    assert_eq!(vendidas, (0..10).collect::<Vec<_>>());
}

#[test]
fn uma_historia_longa_vai_inteira_para_o_csv_e_para_as_contas() {
    let servidor = Servidor::abrir(&["--silencioso"]);
    let opcoes = "--usuarios 2 --ciclos 500 --decisao 0s --escuta 0s --estoque 10";
    let relatos = Relatos::de(servidor.endereco(), opcoes);
    assert_eq!(relatos.fim.codigo, Some(0), "{:?}", relatos.fim);
    let linhas = relatos.csv();
    assert_eq!(quantas(&linhas, "CONSULTAR", "leu"), 1000);
    assert_eq!(quantas(&linhas, "COMPRAR", "comprou"), 10);
    assert_eq!(quantas(&linhas, "COMPRAR", "recusado"), 990);
    let json = relatos.json();
    let resumo = &json["resumo"];
    let contas = ["ciclos", "consultas", "vendas", "recusas"].map(|nome| resumo[nome].as_u64());
    assert_eq!(contas, [Some(1000), Some(1000), Some(10), Some(990)]);
    assert_eq!(resumo["latencias"]["comprar"]["amostras"], 1000);
    assert_eq!(numeros(&json["vazao"]["respostas"]).iter().sum::<f64>(), 2000.0);
}

#[test]
fn uma_resposta_estranha_e_um_campo_so_do_csv() {
    let relatos = Relatos::de(quem_responde_estranho(), "--usuarios 2 --ciclos 2");
    assert_eq!(conta(&relatos.fim, "falhas"), 4, "{:?}", relatos.fim);
    let linhas = relatos.csv();
    let estranhas: Vec<&Linha> = linhas.iter().filter(|l| l.resultado == "de-outro-modo").collect();
    assert_eq!((estranhas.len(), linhas.len()), (4, 8), "{linhas:?}");
    for linha in estranhas {
        assert_eq!(linha.pedido, "COMPRAR");
        for pedaco in ["oi", ", =1+1; <script>alert(1)</script>", "ção"] {
            assert!(linha.valor.contains(pedaco), "{linha:?}");
        }
        assert!(!linha.valor.contains(char::is_control), "{linha:?}");
    }
    assert_eq!(relatos.ler("csv.csv").lines().count(), 9, "uma linha é uma linha");
    let json = relatos.json();
    assert_eq!(json["resumo"]["falhas"]["resposta fora do protocolo"], 4);
    let de_outro_modo = &json["resumo"]["de_outro_modo"];
    assert_eq!((&de_outro_modo["consultar"], &de_outro_modo["comprar"]), (&0.into(), &4.into()));
    assert!(de_outro_modo["primeira"].as_str().unwrap().starts_with("disse \"oi\""), "{json:#}");
    assert_eq!(json["resumo"]["latencias"]["comprar"], Value::Null);
    // Nenhuma compra se entendeu: não é um "está certo".
    assert_eq!((relatos.fim.codigo, &json["consistente"]), (Some(1), &Value::Null));
    assert_eq!(json["vereditos"]["estoque"]["veredito"], "sem-veredito");
    let html = lida(&relatos.html());
    assert!(html.contains(">SEM VEREDITO<") && !html.contains("CONSISTENTE<"), "{html}");
    assert!(html.contains("A primeira resposta que não se entendeu: 'disse \"oi\""), "{html}");
}
