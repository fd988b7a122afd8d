//! O que a multidão deixa escrito: o relatório em HTML, em JSON e em CSV, e o que `--exigir` e
//! `--estoque` cobram. Os três arquivos contam a história que o terminal e o servidor contam.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

use serde_json::Value;
use tempfile::TempDir;
use testes::{
    PRAZO, Processo, Servidor, Signal, Termino, argumentos, binario, comando, conta, multidao,
    palavras_em_ingles, porta_fechada, quem_vende_sempre_a_mesma, servidor_que, veredito,
};

/// Os três arquivos de uma multidão, e como ela terminou.
struct Relatos {
    pasta: TempDir,
    fim: Termino,
}

impl Relatos {
    /// Onde ficam os arquivos. O nome tem tudo o que um shell e uma página HTML estranham.
    fn pasta() -> TempDir {
        tempfile::Builder::new().prefix("caixa d'água <b>&amp; \"cia\" $HOME").tempdir().unwrap()
    }

    fn comando(pasta: &TempDir, servidor: SocketAddr, opcoes: &str) -> Command {
        let mut comando = comando("cliente", argumentos(servidor, opcoes));
        for tipo in ["relatorio.html", "json.json", "csv.csv"] {
            let (opcao, _) = tipo.split_once('.').unwrap();
            comando.arg(format!("--{opcao}")).arg(pasta.path().join(tipo));
        }
        comando
    }

    fn de(servidor: SocketAddr, opcoes: &str) -> Self {
        let pasta = Relatos::pasta();
        let fim = Processo::iniciar(Relatos::comando(&pasta, servidor, opcoes)).termino();
        Relatos { pasta, fim }
    }

    fn ler(&self, nome: &str) -> String {
        fs::read_to_string(self.pasta.path().join(nome)).unwrap()
    }

    fn html(&self) -> String {
        self.ler("relatorio.html")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.ler("json.json")).unwrap()
    }

    /// As linhas do CSV, sem o cabeçalho.
    fn csv(&self) -> Vec<Linha> {
        let texto = self.ler("csv.csv");
        let cabecalho = "usuario,conexao,pedido,enviada_s,chegou_s,resultado,valor\n";
        assert!(texto.starts_with(cabecalho), "{texto}");
        let mut leitor = csv::Reader::from_reader(texto.as_bytes());
        leitor.records().map(|linha| Linha::de(&linha.unwrap())).collect()
    }
}

#[derive(Debug)]
struct Linha {
    usuario: u64,
    pedido: String,
    enviada: Option<f64>,
    chegou: Option<f64>,
    resultado: String,
    valor: String,
}

impl Linha {
    fn de(linha: &csv::StringRecord) -> Self {
        assert!(linha[1].parse::<u32>().unwrap() >= 1, "{linha:?}");
        let instante = |texto: &str| {
            let (_, casas) = texto.split_once('.')?;
            assert_eq!(casas.len(), 9, "nove casas: {linha:?}");
            Some(texto.parse().unwrap())
        };
        Linha {
            usuario: linha[0].parse().unwrap(),
            pedido: linha[2].into(),
            enviada: instante(&linha[3]),
            chegou: instante(&linha[4]),
            resultado: linha[5].into(),
            valor: linha[6].into(),
        }
    }
}

fn quantas(linhas: &[Linha], pedido: &str, resultado: &str) -> u64 {
    let iguais = linhas.iter().filter(|l| l.pedido == pedido && l.resultado == resultado);
    iguais.count() as u64
}

/// Confere que `valor` é um objeto com estas chaves, e mais nenhuma.
#[track_caller]
fn tem_so(valor: &Value, chaves: &str) {
    let mut achadas: Vec<&str> = valor.as_object().unwrap().keys().map(String::as_str).collect();
    let mut esperadas: Vec<&str> = chaves.split_whitespace().collect();
    achadas.sort_unstable();
    esperadas.sort_unstable();
    assert_eq!(achadas, esperadas);
}

/// Os elementos de uma lista.
#[track_caller]
fn lista(valor: &Value) -> &[Value] {
    valor.as_array().unwrap()
}

fn numeros(valor: &Value) -> Vec<f64> {
    lista(valor).iter().map(|n| n.as_f64().unwrap()).collect()
}

/// Os tempos da tabela de latências do terminal na linha de `nome`, em segundos.
fn latencias_do_terminal(fim: &Termino, nome: &str) -> Vec<f64> {
    let tabela = fim.saida.split("latência").nth(1).unwrap();
    let linha = tabela.lines().find_map(|linha| linha.trim().strip_prefix(nome)).unwrap();
    let colunas: Vec<&str> = linha.split_whitespace().collect();
    let tempo = |par: &[&str]| {
        let unidade = match par[1] {
            "s" => 1.0,
            "ms" => 1e-3,
            "µs" => 1e-6,
            outra => panic!("que unidade é {outra}?"),
        };
        par[0].replace(',', ".").parse::<f64>().unwrap() * unidade
    };
    colunas.chunks(2).map(tempo).collect()
}

#[test]
fn o_json_tem_as_chaves_do_formato_1_e_os_numeros_do_terminal_e_do_servidor() {
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
        "formato comando parametros resumo consistente contradicoes violacoes observacoes exigencias \
         vendas avisos_s vazao",
    );
    assert_eq!((&json["formato"], &json["consistente"]), (&Value::from(1), &Value::from(true)));
    assert_eq!(json["contradicoes"], 0);
    assert_eq!((lista(&json["violacoes"]).len(), lista(&json["observacoes"]).len()), (0, 0));
    tem_so(&json["exigencias"][0], "texto medido cumprida");

    let parametros = &json["parametros"];
    tem_so(
        parametros,
        "servidor usuarios threads ciclos decisao_s escuta_s acelerar rampa_s reconectar fim_de_linha \
         estoque semente",
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
        "fim_de_linha": "lf",
        "estoque": null,
        "semente": conta(fim, "semente"),
    });
    assert_eq!(*parametros, pedidos);

    let resumo = &json["resumo"];
    tem_so(
        resumo,
        "usuarios pico ciclos ciclos_previstos consultas vendas recusas avisos espalhamento_s duracao_s \
         vazao interrompida falhas latencias",
    );
    assert_eq!((&resumo["interrompida"], &resumo["usuarios"]), (&false.into(), &20.into()));
    tem_so(&resumo["falhas"], "");
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
    assert_eq!(resumo["ciclos"], contas.conta("conexões atendidas"));
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
        tem_so(venda, "instante_s chegou_s restante");
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
        tem_so(prova, "usuario pedido ouvido valor enviada_s chegou_s");
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
    assert_eq!(relatos.fim.codigo, Some(3), "{:?}", relatos.fim);
    let violacao = &relatos.json()["violacoes"][0];
    assert_eq!(violacao["regra"], "aviso-repetido");
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

/// O que um servidor pode dizer para confundir quem lê os arquivos.
const ESTRANHA: &str = "disse \"oi\", =1+1; <script>alert(1)</script>\r\u{1b}[2J ção";

/// Um servidor que responde às consultas e, às compras, algo estranho; e avisa o que não devia.
fn quem_responde_estranho() -> SocketAddr {
    servidor_que(|comando| match comando {
        "CONSULTAR" => "Estoque atual: 5\nAVISO: <script>alert(2)</script>\n".into(),
        _ => format!("{ESTRANHA}\n"),
    })
}

#[test]
fn uma_resposta_estranha_e_um_campo_so_do_csv() {
    let relatos = Relatos::de(quem_responde_estranho(), "--usuarios 2 --ciclos 2");
    assert_eq!(conta(&relatos.fim, "falhas"), 4, "{:?}", relatos.fim);
    let linhas = relatos.csv();
    let estranhas: Vec<&Linha> = linhas.iter().filter(|l| l.resultado == "estranho").collect();
    assert_eq!((estranhas.len(), linhas.len()), (4, 8), "{linhas:?}");
    for linha in estranhas {
        assert_eq!(linha.pedido, "COMPRAR");
        for pedaco in ["oi", ", =1+1; <script>alert(1)</script>", "ção"] {
            assert!(linha.valor.contains(pedaco), "{linha:?}");
        }
        assert!(!linha.valor.contains(char::is_control), "{linha:?}");
    }
    assert_eq!(relatos.ler("csv.csv").lines().count(), 9, "uma linha é uma linha");
    assert_eq!(relatos.json()["resumo"]["falhas"]["resposta fora do protocolo"], 4);
}

#[test]
fn exigencia_cumprida_e_dita_e_sai_com_0() {
    let servidor = Servidor::abrir(&[]);
    let relatos = Relatos::de(
        servidor.endereco(),
        "--usuarios 10 --ciclos 2 --exigir vendas=10 --exigir p99(comprar)<1h --exigir falhas<=0 \
         --exigir ciclos>=20 --exigir MAX(Consultar)>1ns",
    );
    let Relatos { fim, .. } = &relatos;
    assert_eq!((fim.codigo, veredito(fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    let ditas: Vec<&str> = fim.saida.lines().filter(|l| l.starts_with("Exigência")).collect();
    let [vendas, p99, falhas, ciclos, maximo] = ditas[..] else { panic!("{fim:?}") };
    assert_eq!(vendas, "Exigência cumprida: vendas=10 (10)");
    assert!(p99.starts_with("Exigência cumprida: p99(comprar)<1h ("), "{p99}");
    assert_eq!(falhas, "Exigência cumprida: falhas<=0 (0)");
    assert_eq!(ciclos, "Exigência cumprida: ciclos>=20 (20)");
    assert!(maximo.starts_with("Exigência cumprida: MAX(Consultar)>1ns ("), "{maximo}");
    let json = relatos.json();
    let textos: Vec<_> = lista(&json["exigencias"]).iter().map(|e| &e["texto"]).collect();
    let escritos =
        ["vendas=10", "p99(comprar)<1h", "falhas<=0", "ciclos>=20", "MAX(Consultar)>1ns"];
    assert_eq!(textos, escritos);
    assert!(lista(&json["exigencias"]).iter().all(|e| e["cumprida"] == true), "{json:#}");
}

#[test]
fn uma_exigencia_que_falha_entre_varias_sai_com_4() {
    let servidor = Servidor::abrir(&["--estoque", "0"]);
    let relatos = Relatos::de(
        servidor.endereco(),
        "--usuarios 5 --ciclos 2 --exigir falhas=0 --exigir vendas>0 --exigir espalhamento<1h \
         --exigir p50(comprar)<1ns",
    );
    let Relatos { fim, .. } = &relatos;
    // Que o servidor está certo continua dito, e por último.
    assert_eq!((fim.codigo, veredito(fim)), (Some(4), "Veredito: CONSISTENTE"), "{fim:?}");
    for linha in [
        "Exigência cumprida: falhas=0 (0)\n",
        "Exigência NÃO CUMPRIDA: vendas>0 (0)\n",
        "Exigência NÃO CUMPRIDA: espalhamento<1h (nada a medir)\n",
        "Exigência NÃO CUMPRIDA: p50(comprar)<1ns (",
    ] {
        assert!(fim.saida.contains(linha), "{linha}: {}", fim.saida);
    }
    let json = relatos.json();
    let cumpridas: Vec<_> = lista(&json["exigencias"]).iter().map(|e| &e["cumprida"]).collect();
    assert_eq!(cumpridas, [true, false, false, false]);
    assert_eq!(json["exigencias"][2]["medido"], Value::Null);
    // Nem venda nem AVISO: os dois gráficos deles não há, e a página continua inteira.
    let html = relatos.html();
    pagina_inteira(&html, 3);
    for linha in fim.saida.lines().filter(|linha| linha.starts_with("Exigência")) {
        assert!(lida(&html).contains(linha), "{linha}");
    }
}

#[test]
fn com_o_estoque_certo_nada_falta_e_com_outro_a_auditoria_ve() {
    for (estoque, codigo, regra) in
        [(10, 0, None), (12, 3, Some("unidade-sumiu")), (9, 3, Some("acima-do-inicial"))]
    {
        let servidor = Servidor::abrir(&[]);
        let opcoes = format!("--usuarios 10 --ciclos 2 --estoque {estoque}");
        let relatos = Relatos::de(servidor.endereco(), &opcoes);
        assert_eq!(relatos.fim.codigo, Some(codigo), "{estoque}: {:?}", relatos.fim);
        let json = relatos.json();
        assert_eq!(json["parametros"]["estoque"], estoque);
        assert_eq!(json["violacoes"][0]["regra"].as_str(), regra, "{json:#}");
    }
}

#[test]
fn sem_dizer_o_estoque_nao_se_acusa_a_falta_de_ninguem() {
    let servidor = Servidor::abrir(&[]);
    let mut outro = servidor.cliente();
    assert!(outro.pede("COMPRAR").starts_with("Compra realizada"));
    let sem = multidao(servidor.endereco(), "--usuarios 10 --ciclos 2");
    assert_eq!((sem.codigo, conta(&sem, "vendas")), (Some(0), 9), "{sem:?}");
}

/// Executa o cliente com um arquivo em que não se pode escrever: o que ele disse do arquivo.
fn queixa(fim: &Termino, caminho: &Path, opcao: &str) -> String {
    let queixas: Vec<&str> =
        fim.erro.lines().filter(|l| l.contains("não posso escrever")).collect();
    let [queixa] = queixas[..] else { panic!("uma linha só: {fim:?}") };
    assert!(queixa.starts_with("cliente: "), "{queixa}");
    assert!(queixa.contains(&format!("'{}'", caminho.display())), "{queixa}");
    assert!(queixa.ends_with(&format!("confira {opcao}")), "{queixa}");
    let sem_caminho = queixa.replace(&caminho.display().to_string(), "");
    assert_eq!(palavras_em_ingles(&sem_caminho), [""; 0], "{queixa}");
    queixa.into()
}

#[test]
fn um_caminho_impossivel_e_dito_antes_de_chegar_ao_servidor() {
    let pasta = Relatos::pasta();
    for opcao in ["--relatorio", "--json", "--csv"] {
        for (caminho, porque) in [
            (pasta.path().join("nao/existe"), "não existe"),
            (pasta.path().to_path_buf(), "é um diretório"),
        ] {
            let mut servidor = Servidor::abrir(&[]);
            let mut comando = comando("cliente", argumentos(servidor.endereco(), "--usuarios 2"));
            comando.arg(opcao).arg(&caminho);
            let fim = Processo::iniciar(comando).termino();
            assert_eq!((fim.codigo, fim.saida.as_str()), (Some(1), ""), "{fim:?}");
            assert_eq!(fim.erro.lines().count(), 1, "{fim:?}");
            assert!(queixa(&fim, &caminho, opcao).contains(porque), "{fim:?}");
            assert_eq!(servidor.encerrar().conta("conexões atendidas"), 0, "{opcao}");
        }
    }
}

#[test]
fn sem_espaco_no_disco_o_veredito_ainda_e_dito() {
    let cheio = Path::new("/dev/full");
    for opcao in ["--csv", "--json", "--relatorio"] {
        let servidor = Servidor::abrir(&[]);
        let opcoes = format!("--usuarios 5 --ciclos 2 --exigir vendas<0 {opcao} /dev/full");
        let fim = multidao(servidor.endereco(), &opcoes);
        // Nem a exigência que falhou esconde que o arquivo não foi escrito.
        assert_eq!((fim.codigo, veredito(&fim)), (Some(1), "Veredito: CONSISTENTE"), "{fim:?}");
        assert!(queixa(&fim, cheio, opcao).contains("não há espaço no disco"), "{fim:?}");
        assert_eq!(fim.erro.lines().count(), 2, "a de abertura e a queixa: {fim:?}");
        // Mas um servidor errado é mais grave que um disco cheio.
        let opcoes = format!("--usuarios 2 --ciclos 1 {opcao} /dev/full");
        let fim = multidao(quem_vende_sempre_a_mesma(), &opcoes);
        assert_eq!(fim.codigo, Some(3), "{fim:?}");
        queixa(&fim, cheio, opcao);
    }
}

/// O texto que a página mostra, com as entidades desfeitas.
fn lida(html: &str) -> String {
    let entidades =
        [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    entidades.iter().fold(html.to_owned(), |texto, (de, para)| texto.replace(de, para))
}

/// Confere que a página é um arquivo só, bem formado, sem scripts nem rede, com tantos gráficos.
#[track_caller]
fn pagina_inteira(html: &str, graficos: usize) {
    assert!(html.starts_with("<!doctype html>\n<html lang=\"pt-BR\">"), "{html}");
    let sem_namespace = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for proibido in [
        "<script",
        "http://",
        "https://",
        " src=",
        " href=",
        "@import",
        "url(",
        "<link",
        "<iframe",
        "<img",
        "<base",
        "javascript:",
        " onload=",
        " onclick=",
    ] {
        assert!(!sem_namespace.to_lowercase().contains(proibido), "há {proibido} na página");
    }
    etiquetas_fecham(html);
    let vezes = |texto: &str| html.matches(texto).count();
    assert_eq!(vezes("<figure>"), graficos, "gráficos");
    assert_eq!((vezes("class=\"larga\""), vezes("class=\"estreita\"")), (graficos, graficos));
    assert_eq!(vezes("<svg "), 2 * graficos);
    assert_eq!(vezes("width=\"960\" height="), graficos);
    assert_eq!(vezes("width=\"400\" height="), graficos);
    assert!(!html.contains("NaN") && !html.contains("inf "), "uma conta sem resultado na página");
}

/// Confere que cada etiqueta que abre fecha, na ordem.
#[track_caller]
fn etiquetas_fecham(html: &str) {
    let mut abertas: Vec<&str> = Vec::new();
    for depois in html.split('<').skip(1) {
        let (etiqueta, _) = depois.split_once('>').unwrap_or_else(|| panic!("sem fim: {depois}"));
        let nome = etiqueta.split_whitespace().next().unwrap();
        if let Some(nome) = nome.strip_prefix('/') {
            assert_eq!(abertas.pop(), Some(nome), "fecha o que não abriu");
        } else if !etiqueta.ends_with('/') && !["!doctype", "meta"].contains(&nome) {
            abertas.push(nome);
        }
    }
    assert_eq!(abertas, [""; 0], "não fecham");
}

#[test]
fn a_pagina_de_um_servidor_certo_diz_o_que_houve_em_um_arquivo_so() {
    let servidor = Servidor::abrir(&[]);
    let relatos = Relatos::de(servidor.endereco(), "--usuarios 60 --ciclos 2 --exigir vendas=10");
    let (html, json, fim) = (relatos.html(), relatos.json(), &relatos.fim);
    pagina_inteira(&html, 5);
    let texto = lida(&html);
    let semente = conta(fim, "semente").to_string();
    let recusas = conta(fim, "recusas");
    for parte in [
        ">CONSISTENTE<",
        json["comando"].as_str().unwrap(),
        &format!("<td class=\"nome\">semente</td><td>{semente}</td>"),
        &format!("Em 120 consultas, 10 vendas e {recusas} recusas, nada"),
        &format!("<dt>AVISOs</dt><dd>{}</dd>", conta(fim, "AVISOs")),
        "<dt>ciclos</dt><dd>120</dd>",
        "Exigência cumprida: vendas=10 (10)",
        "40 dos 60 usuários, do começo",
        "sem --estoque, não se afirma",
    ] {
        assert!(texto.contains(parte), "falta {parte}");
    }
    assert!(!html.contains("INCONSISTENTE") && !html.contains("As contradições"), "{html}");
    assert!(!html.contains("As falhas") && !html.contains("interrompida"), "{html}");
    // O que o comando tem de perigoso (o nome da pasta) só aparece escapado.
    assert!(!html.contains("<b>") && html.contains("&#60;b&#62;&#38;amp;"), "{html}");
    // As latências são as do terminal.
    for (nome, chave) in [("CONSULTAR", "consultar"), ("COMPRAR", "comprar")] {
        let linha = fim.saida.lines().find(|l| l.trim().starts_with(nome)).unwrap();
        let tempos: Vec<&str> = linha.trim().split("  ").map(str::trim).collect();
        let tempos = tempos[1..].iter().filter(|tempo| !tempo.is_empty());
        let celulas: String = tempos.map(|tempo| format!("<td class=\"n\">{tempo}</td>")).collect();
        let amostras = &json["resumo"]["latencias"][chave]["amostras"];
        let celulas = format!("<td>{nome}</td><td class=\"n\">{amostras}</td>{celulas}");
        assert!(html.contains(&celulas), "falta {celulas}");
    }
    assert_eq!(palavras_em_ingles(&so_texto(&html)), [""; 0]);
}

/// Só o que se lê na página: sem as etiquetas, o estilo e o comando, que é como se escreveu.
fn so_texto(html: &str) -> String {
    let corpo =
        html.split("<body>").nth(1).unwrap().split("<pre class=\"comando\">").next().unwrap();
    corpo.split('<').filter_map(|parte| parte.split_once('>')).map(|(_, texto)| texto).collect()
}

/// O desenho para telas largas (ou `"estreita"`s) do gráfico com este título.
fn grafico<'a>(html: &'a str, titulo: &str, tela: &str) -> &'a str {
    let secao = html.split("<section>").find(|s| s.contains(&format!("<h2>{titulo}</h2>")));
    let secao = secao.unwrap_or_else(|| panic!("não há {titulo}"));
    let depois = secao.split_once(&format!("class=\"{tela}\"")).unwrap().1;
    depois.split_once("</svg>").unwrap().0
}

/// Os desenhos das contradições para telas largas (ou `"estreita"`s).
fn contradicoes<'a>(html: &'a str, tela: &str) -> impl Iterator<Item = &'a str> {
    let (_, resto) = html.split_once("<h2>As contradições</h2>").unwrap();
    let (secao, _) = resto.split_once("</section>").unwrap();
    let inicio = format!("class=\"{tela}\"");
    secao.split("<div ").filter(move |div| div.starts_with(&inicio))
}

/// Os valores do atributo `nome` nas etiquetas que começam por `inicio` e contêm `cor`.
fn atributos(svg: &str, inicio: &str, cor: &str, nome: &str) -> Vec<f64> {
    let etiquetas = svg.split('<').filter(|e| e.starts_with(inicio) && e.contains(cor));
    let valor = |etiqueta: &str| {
        let (_, resto) = etiqueta.split_once(&format!(" {nome}=\"")).unwrap();
        resto.split_once('"').unwrap().0.parse().unwrap()
    };
    etiquetas.map(valor).collect()
}

/// Os pontos de cada linha desta cor, em pixels.
fn linhas<'a>(svg: &'a str, cor: &'a str) -> impl Iterator<Item = Vec<(i32, i32)>> + 'a {
    let etiquetas = svg.split('<').filter(move |e| e.starts_with("polyline") && e.contains(cor));
    let ponto = |par: &str| {
        let (x, y) = par.split_once(',').unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    };
    etiquetas.map(move |etiqueta| {
        let (_, pontos) = etiqueta.split_once("points=\"").unwrap();
        let (pontos, _) = pontos.split_once('"').unwrap();
        pontos.split_whitespace().map(ponto).collect()
    })
}

/// A única linha desta cor.
fn linha(svg: &str, cor: &str) -> Vec<(i32, i32)> {
    linhas(svg, cor).next().unwrap()
}

#[test]
fn cada_ponto_dos_graficos_e_algo_que_aconteceu() {
    const CONSULTA: &str = "#0969DA";
    const COMPRA: &str = "#1A7F37";
    const RECUSA: &str = "#BC4C00";
    const AVISO: &str = "#8250DF";
    let servidor = Servidor::abrir(&[]);
    // Poucos usuários e dois ciclos: cabem todos, do começo ao fim.
    let relatos = Relatos::de(servidor.endereco(), "--usuarios 20 --ciclos 2 --decisao 1s..10s");
    let (html, fim) = (relatos.html(), &relatos.fim);
    assert!(html.contains("Todos os usuários, do começo a "), "{html}");
    for tela in ["larga", "estreita"] {
        let estoque = grafico(&html, "O estoque, venda a venda", tela);
        let (xs, ys) = (
            atributos(estoque, "circle", COMPRA, "cx"),
            atributos(estoque, "circle", COMPRA, "cy"),
        );
        assert_eq!(xs.len(), 10, "uma bola por venda");
        assert!(xs.is_sorted() && ys.is_sorted_by(|a, b| a < b), "o estoque desce: {xs:?} {ys:?}");

        let usuarios = grafico(&html, "O que cada usuário viveu", tela);
        let bolas = |cor| atributos(usuarios, "circle", cor, "cx").len() as u64;
        let vistas = (bolas(CONSULTA), bolas(COMPRA), bolas(RECUSA));
        let contadas = (conta(fim, "consultas"), conta(fim, "vendas"), conta(fim, "recusas"));
        assert_eq!(vistas, contadas, "{tela}");
        let riscos = |etiqueta: &str, cor: &str| {
            usuarios.split('<').filter(|e| e.starts_with(etiqueta) && e.contains(cor)).count()
        };
        assert_eq!(riscos("polygon", AVISO) as u64, conta(fim, "AVISOs"), "{tela}");
        assert_eq!(riscos("polyline", AVISO), 1, "o esgotamento, de cima a baixo");
        // Uma linha por usuário, na altura do número dele: decidiu e escutou duas vezes cada um.
        assert_eq!(riscos("polyline", "#A5C8FF"), 40, "{tela}");
        assert_eq!(riscos("polyline", "#DDE1E6"), 40, "{tela}");
        let mut alturas = atributos(usuarios, "circle", CONSULTA, "cy");
        alturas.dedup();
        assert!(alturas.len() == 20 && alturas.is_sorted(), "{tela}: {alturas:?}");

        // Decide-se a partir da resposta a CONSULTAR; escuta-se a partir da de COMPRAR.
        let mut consultas = atributos(usuarios, "circle", CONSULTA, "cx");
        let mut decisoes: Vec<f64> = linhas(usuarios, "#A5C8FF").map(|l| l[0].0.into()).collect();
        consultas.sort_unstable_by(f64::total_cmp);
        decisoes.sort_unstable_by(f64::total_cmp);
        assert_eq!(consultas, decisoes, "{tela}");
        // O esgotamento é a chegada da resposta de quem levou a última.
        let mut chegadas: Vec<(f64, i64)> = lista(&relatos.json()["vendas"])
            .iter()
            .map(|v| (v["chegou_s"].as_f64().unwrap(), v["restante"].as_i64().unwrap()))
            .collect();
        chegadas.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let ultima = chegadas.iter().position(|(_, restante)| *restante == 0).unwrap();
        let mut compras = atributos(usuarios, "circle", COMPRA, "cx");
        compras.sort_unstable_by(f64::total_cmp);
        assert_eq!(f64::from(linha(usuarios, AVISO)[0].0), compras[ultima], "{tela}");

        // As curvas sobem de 0% a 100%: embaixo, o y é maior.
        let aviso = linha(grafico(&html, "Como o AVISO se espalhou", tela), AVISO);
        let mut degraus: Vec<i32> = aviso.iter().map(|(_, y)| *y).collect();
        degraus.dedup();
        assert_eq!(degraus.len() as u64, conta(fim, "AVISOs") + 1, "{tela}: {degraus:?}");
        let latencias = grafico(&html, "Quanto demoraram as respostas", tela);
        for curva in [aviso, linha(latencias, CONSULTA), linha(latencias, COMPRA)] {
            assert!(curva.is_sorted_by(|a, b| a.0 <= b.0 && a.1 >= b.1), "{tela}: {curva:?}");
            assert!(curva.last().unwrap().1 < 30, "chega aos 100%: {curva:?}");
        }
        let vazao = grafico(&html, "Respostas por segundo", tela);
        let barras = atributos(vazao, "rect", CONSULTA, "height").len();
        assert_eq!(barras, lista(&relatos.json()["vazao"]["respostas"]).len(), "{tela}");
    }
}

#[test]
fn a_pagina_de_um_servidor_errado_desenha_a_contradicao() {
    let relatos = Relatos::de(quem_vende_sempre_a_mesma(), "--usuarios 3 --ciclos 1 --estoque 10");
    let (html, json, fim) = (relatos.html(), relatos.json(), &relatos.fim);
    let violacoes = lista(&json["violacoes"]);
    pagina_inteira(&html, 4 + violacoes.len());
    let texto = lida(&html);
    assert!(texto.contains(">INCONSISTENTE<") && !html.contains(">CONSISTENTE<"), "{html}");
    assert!(violacoes.len() >= 2, "{json:#}");
    assert!(texto.contains(&format!("São {}, na ordem", violacoes.len())), "{html}");
    for violacao in violacoes {
        let frase = violacao["texto"].as_str().unwrap();
        assert!(texto.contains(&format!("<strong>{frase}</strong>")), "{frase}");
    }
    // O desenho do terminal, e o da página: as mesmas provas, com os mesmos instantes.
    let (_, desenho) = fim.saida.split_once("A primeira contradição, no tempo:\n").unwrap();
    let (desenho, _) = desenho.split_once("\n\n").unwrap();
    assert_eq!(desenho.lines().count(), 2, "{desenho}");
    assert!(desenho.lines().all(|linha| linha.chars().count() <= 80), "{desenho}");
    for prova in lista(&violacoes[0]["provas"]) {
        let usuario = format!("usuário {}", prova["usuario"]);
        let ouvido = prova["ouvido"].as_str().unwrap();
        let chegou = format!("{:.6} s", prova["chegou_s"].as_f64().unwrap()).replace('.', ",");
        let linha = desenho.lines().find(|linha| linha.contains(&format!("{usuario} "))).unwrap();
        assert!(linha.contains(ouvido) && linha.contains(['├', '│']), "{linha}");
        assert!(linha.ends_with(&chegou), "{linha}: {chegou}");
        assert!(texto.contains(&format!("{usuario} pediu COMPRAR: {ouvido}, ")), "{usuario}");
        for tela in ["larga", "estreita"] {
            let svg = contradicoes(&html, tela).next().unwrap();
            for parte in [&usuario, ouvido, &chegou] {
                assert!(svg.contains(parte), "{tela}: falta {parte} em {svg}");
            }
            assert_eq!(atributos(svg, "rect", "#1A7F37", "width").len(), 2, "uma barra por compra");
        }
    }
    assert!(texto.contains("Cada contradição acima é certa"), "{html}");
}

#[test]
fn a_curva_do_aviso_que_nao_chega_a_todos_diz_quem_sao_os_outros() {
    // Vende uma unidade, e só avisa as duas conexões seguintes que a pedem.
    let mut pedidas = 0;
    let endereco = servidor_que(move |comando| {
        if comando == "CONSULTAR" {
            return format!("Estoque atual: {}\n", i32::from(pedidas == 0));
        }
        pedidas += 1;
        match pedidas {
            1 => "Compra realizada. Estoque restante: 0\n".into(),
            2 | 3 => "ERRO: Produto esgotado\nAVISO: O estoque acabou de esgotar!\n".into(),
            _ => "ERRO: Produto esgotado\n".into(),
        }
    });
    // Todos consultam bem antes da venda, e ficam bem depois da tolerância.
    let opcoes = "--usuarios 5 --ciclos 1 --decisao 100s --escuta 200s";
    let relatos = Relatos::de(endereco, opcoes);
    let html = relatos.html();
    assert!(html.contains("3 não ouviram: estavam e nada chegou."), "{html}");
    for tela in ["larga", "estreita"] {
        let curva = linha(grafico(&html, "Como o AVISO se espalhou", tela), "#8250DF");
        let (base, topo) = (curva[0].1, curva.last().unwrap().1);
        // Dois de cinco: a altura de um gráfico que chega a 100% é de uns 200 pixels.
        assert!((60..110).contains(&(base - topo)), "{tela}: {curva:?}");
    }
    // Se todos ouvem, não se fala em outros.
    let servidor = Servidor::abrir(&[]);
    let html = Relatos::de(servidor.endereco(), "--usuarios 5 --ciclos 3").html();
    assert!(html.contains("Como o AVISO se espalhou") && !html.contains("não ouvi"), "{html}");
}

#[test]
fn muitas_contradicoes_sao_contadas_e_so_as_primeiras_desenhadas() {
    let relatos = Relatos::de(quem_vende_sempre_a_mesma(), "--usuarios 60 --ciclos 3");
    let (html, json) = (relatos.html(), relatos.json());
    let total = json["contradicoes"].as_u64().unwrap();
    assert!(total > 100, "{total}");
    assert_eq!(lista(&json["violacoes"]).len(), 100);
    assert!(html.contains(&format!("São {total}; aqui, as primeiras 20 a aparecer.")), "{html}");
    assert_eq!(contradicoes(&html, "larga").count(), 20);
    let quando: Vec<f64> =
        lista(&json["violacoes"]).iter().map(|v| v["quando_s"].as_f64().unwrap()).collect();
    assert!(quando.is_sorted(), "a primeira a aparecer vem antes: {quando:?}");
}

#[test]
fn nada_do_que_o_servidor_diz_vira_codigo_na_pagina() {
    let relatos = Relatos::de(quem_responde_estranho(), "--usuarios 2 --ciclos 2 --estoque 5");
    let html = relatos.html();
    assert!(!html.contains("<script") && !html.contains("alert(1)</"), "{html}");
    assert!(!html.contains("alert(2)</") && !html.contains('\u{1b}'), "{html}");
    etiquetas_fecham(&html);
    assert!(html.contains("<td>resposta fora do protocolo</td><td class=\"n\">4</td>"), "{html}");
    assert!(html.contains("As falhas"), "{html}");
}

#[test]
fn um_numero_enorme_do_servidor_nao_quebra_os_arquivos() {
    let enorme = "170141183460469231731687303715884105727";
    let endereco = servidor_que(move |comando| match comando {
        "CONSULTAR" => format!("Estoque atual: {enorme}\n"),
        _ => format!("Compra realizada. Estoque restante: -{enorme}\n"),
    });
    let relatos = Relatos::de(endereco, "--usuarios 2 --ciclos 2 --estoque 10");
    assert_eq!(relatos.fim.codigo, Some(3), "{:?}", relatos.fim);
    let json = relatos.json();
    assert_eq!(json["vendas"][0]["restante"], format!("-{enorme}"), "um texto, e não outro número");
    assert_eq!(quantas(&relatos.csv(), "COMPRAR", "comprou"), 4);
    let html = relatos.html();
    pagina_inteira(&html, 4 + lista(&json["violacoes"]).len());
    // As vendas abaixo de zero têm outra cor.
    let estoque = grafico(&html, "O estoque, venda a venda", "larga");
    assert_eq!(atributos(estoque, "circle", "#CF222E", "cx").len(), 4);
}

#[test]
fn interrompida_a_multidao_ainda_escreve_o_que_viu() {
    let (avisar, pedidos) = mpsc::channel();
    // Responde às consultas e cala diante das compras: ao parar, há pedidos sem resposta.
    let endereco = servidor_que(move |comando| match comando {
        "CONSULTAR" => "Estoque atual: 5\n".into(),
        _ => {
            avisar.send(()).unwrap();
            String::new()
        }
    });
    let pasta = Relatos::pasta();
    let opcoes = "--usuarios 4 --ciclos 7 --exigir vendas>0";
    let mut cliente = Processo::iniciar(Relatos::comando(&pasta, endereco, opcoes));
    for _ in 0..4 {
        pedidos.recv_timeout(PRAZO).unwrap();
    }
    cliente.sinal(Signal::INT);
    let relatos = Relatos { pasta, fim: cliente.termino() };
    // A exigência não se cumpriu porque a multidão não terminou: o 130 diz melhor.
    assert_eq!(relatos.fim.codigo, Some(130), "{:?}", relatos.fim);
    let json = relatos.json();
    let resumo = &json["resumo"];
    assert_eq!((&resumo["interrompida"], &resumo["ciclos"]), (&true.into(), &0.into()));
    assert_eq!((&resumo["ciclos_previstos"], &resumo["consultas"]), (&28.into(), &4.into()));
    assert_eq!(resumo["latencias"]["comprar"], Value::Null);
    assert_eq!((&resumo["espalhamento_s"], &json["consistente"]), (&Value::Null, &true.into()));
    let linhas = relatos.csv();
    assert_eq!(quantas(&linhas, "CONSULTAR", "leu"), 4);
    assert_eq!(quantas(&linhas, "COMPRAR", "sem-resposta"), 4);
    let sem_resposta = linhas.iter().filter(|linha| linha.resultado == "sem-resposta");
    assert!(sem_resposta.clone().all(|linha| linha.chegou.is_none()), "{linhas:?}");
    let html = relatos.html();
    pagina_inteira(&html, 3);
    assert!(html.contains("interrompida: os números são parciais"), "{html}");
    assert!(html.contains("<dt>ciclos</dt><dd>0 de 28</dd>"), "{html}");
}

#[test]
fn interrompida_depois_de_uma_contradicao_ainda_sai_com_3() {
    let (avisar, pedidos) = mpsc::channel();
    // Vende a mesma unidade duas vezes e depois cala.
    let mut vendas = 0;
    let endereco = servidor_que(move |comando| match (comando, vendas) {
        ("CONSULTAR", ..=1) => "Estoque atual: 10\n".into(),
        ("COMPRAR", ..=1) => {
            vendas += 1;
            "Compra realizada. Estoque restante: 9\n".into()
        }
        _ => {
            avisar.send(()).unwrap();
            String::new()
        }
    });
    let pasta = Relatos::pasta();
    let opcoes = "--usuarios 1 --ciclos 7 --estoque 10";
    let mut cliente = Processo::iniciar(Relatos::comando(&pasta, endereco, opcoes));
    pedidos.recv_timeout(PRAZO).unwrap();
    cliente.sinal(Signal::INT);
    let relatos = Relatos { pasta, fim: cliente.termino() };
    assert_eq!(relatos.fim.codigo, Some(3), "{:?}", relatos.fim);
    let json = relatos.json();
    let fatos = (&json["resumo"]["interrompida"], &json["consistente"]);
    assert_eq!(fatos, (&true.into(), &false.into()));
}

#[test]
fn sem_servidor_nao_se_escreve_um_veredito() {
    let (_socket, endereco) = porta_fechada();
    let relatos = Relatos::de(endereco, "--usuarios 2 --espera 0s");
    assert_eq!(relatos.fim.codigo, Some(1), "{:?}", relatos.fim);
    for nome in ["relatorio.html", "json.json"] {
        assert!(!relatos.pasta.path().join(nome).exists(), "{nome}");
    }
}

/// Um navegador, se esta máquina tem algum.
fn navegador() -> Option<PathBuf> {
    let pastas = std::env::var_os("PATH").unwrap_or_default();
    let mut candidatos = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .flat_map(|nome| std::env::split_paths(&pastas).map(move |pasta| pasta.join(nome)));
    candidatos.find(|caminho| caminho.is_file())
}

/// Abre uma página sem tela. O navegador tem mais tempo que os outros programas, e acaba com ele.
fn abrir(navegador: &Path, pagina: &Path, opcoes: &[&str]) -> Output {
    let perfil = tempfile::tempdir().unwrap();
    let saida = Command::new("timeout")
        .args(["--kill-after=5", "90"])
        .arg(navegador)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--hide-scrollbars", "--allow-file-access-from-files"])
        .arg(format!("--user-data-dir={}", perfil.path().display()))
        .args(opcoes)
        .arg(format!("file://{}", pagina.display()))
        .output()
        .unwrap();
    assert!(saida.status.success(), "{saida:?}");
    saida
}

/// O que um navegador mede de uma página, em um quadro de cada largura: nada disso se sabe só lendo o
/// HTML. O relatório não tem scripts; este está na página que o abriga.
const SONDA: &str = r#"<!doctype html><meta charset="utf-8"><body><script>
const larguras = [1000, 390];
const medidas = {};
const linear = c => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
const cor = texto => (texto.match(/[\d.]+/g) || []).map(Number);
const brilho = c => .2126 * linear(c[0]) + .7152 * linear(c[1]) + .0722 * linear(c[2]);
function fundo(janela, e) {
  for (; e; e = e.parentElement) {
    const c = cor(janela.getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c;
  }
  return [255, 255, 255];
}
// Os cartões da mesma fileira têm a mesma altura, e os números deles o mesmo pé.
function desalinhados(cartoes) {
  const pe = e => Math.round(e.getBoundingClientRect().bottom);
  const fileiras = new Map();
  for (const e of cartoes) {
    const topo = Math.round(e.getBoundingClientRect().top);
    const pes = fileiras.get(topo) || fileiras.set(topo, new Set()).get(topo);
    pes.add(pe(e) + '/' + pe(e.querySelector('dd')));
  }
  return [...fileiras.values()].filter(pes => pes.size > 1).length;
}
function medir(quadro) {
  const janela = quadro.contentWindow, doc = quadro.contentDocument, raiz = doc.documentElement;
  const todos = seletor => [...doc.querySelectorAll(seletor)];
  const a_vista = seletor => todos(seletor).filter(e => e.getBoundingClientRect().width > 0);
  const do_papel = new Set();
  for (const e of todos('svg *')) for (const que of ['fill', 'stroke']) {
    const escrita = e.getAttribute(que);
    if (!escrita || escrita === 'none') continue;
    const papel = escrita.match(/[0-9a-f]{2}/gi).map(h => parseInt(h, 16));
    if (cor(janela.getComputedStyle(e)[que]).join() === papel.join()) do_papel.add(escrita);
  }
  let contraste = 21, pior = '';
  const escritos = todos('body *').filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  for (const e of escritos) {
    const estilo = janela.getComputedStyle(e);
    const claros = [cor(e.closest('svg') ? estilo.fill : estilo.color), fundo(janela, e)].map(brilho).sort((a, b) => b - a);
    const este = (claros[0] + .05) / (claros[1] + .05);
    if (este < contraste && !e.closest('.chave')) { contraste = este; pior = e.outerHTML.slice(0, 80); }
  }
  const largas = a_vista('svg').map(e => e.getBoundingClientRect().width);
  return {
    rola_de_lado: raiz.scrollWidth > raiz.clientWidth,
    largura: raiz.clientWidth,
    largas: a_vista('.larga svg').length,
    estreitas: a_vista('.estreita svg').length,
    menor_grafico: Math.min(...largas),
    letra_do_grafico: Math.min(...a_vista('svg text').map(e => e.getBoundingClientRect().height)),
    numeros: a_vista('dl.numeros dd').length,
    desalinhados: desalinhados(a_vista('dl.numeros div')),
    parte_do_titulo: todos('h2').filter(e => janela.getComputedStyle(e).breakAfter !== 'avoid').length,
    parte_da_figura: todos('figure').filter(e => janela.getComputedStyle(e).breakInside !== 'avoid').length,
    cores_dos_cartoes: a_vista('dl.numeros dd').map(e => janela.getComputedStyle(e).color),
    letra_do_visto: Math.min(...a_vista('.viu').map(e => parseFloat(janela.getComputedStyle(e).fontSize))),
    do_papel: [...do_papel].sort(),
    contraste, pior,
  };
}
for (const largura of larguras) {
  const quadro = document.createElement('iframe');
  quadro.style = `width: ${largura}px; height: 800px; border: 0`;
  quadro.src = 'PAGINA';
  quadro.onload = () => { medidas[largura] = medir(quadro); if (Object.keys(medidas).length === larguras.length) document.body.textContent = '[[' + JSON.stringify(medidas) + ']]'; };
  document.body.append(quadro);
}
</script></body>"#;

/// O que a sonda mede desta página, com estas opções do navegador.
fn sondar(navegador: &Path, pagina: &Path, opcoes: &[&str]) -> Value {
    let sonda = pagina.with_file_name("sonda.html");
    let nome = pagina.file_name().unwrap().to_str().unwrap();
    fs::write(&sonda, SONDA.replace("PAGINA", nome)).unwrap();
    let opcoes = [&["--dump-dom", "--window-size=1200,1000"], opcoes].concat();
    let saida = abrir(navegador, &sonda, &opcoes);
    let dom = String::from_utf8(saida.stdout).unwrap();
    let medidas = dom.split_once("[[").and_then(|(_, resto)| resto.split_once("]]"));
    let (medidas, _) = medidas.unwrap_or_else(|| panic!("a sonda não mediu: {dom}"));
    // Um texto, escrito como HTML, ganha entidades.
    let medidas = medidas.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&medidas).unwrap()
}

const TEMAS: [(&str, &[&str]); 2] =
    [("claro", &[]), ("escuro", &["--blink-settings=preferredColorScheme=0"])];

/// O que se pede de qualquer página, em qualquer largura e tema.
#[track_caller]
fn bem_composta(medida: &Value, tema: &str) {
    assert_eq!(medida["rola_de_lado"], false, "{tema}: {medida}");
    // O mínimo das WCAG para texto comum.
    assert!(medida["contraste"].as_f64().unwrap() >= 4.5, "{tema}: {medida}");
    assert_eq!(medida["desalinhados"], 0, "{tema}: {medida}");
    let partidos = (&medida["parte_do_titulo"], &medida["parte_da_figura"]);
    assert_eq!(partidos, (&0.into(), &0.into()), "no papel: {medida}");
}

#[test]
fn em_um_navegador_a_pagina_da_nota_cabe_na_tela_e_diz_em_cores_o_que_se_ganhou() {
    let Some(navegador) = navegador() else {
        println!("sem navegador: teste pulado; instale o chromium");
        return;
    };
    // Vende sempre a mesma, e diz palavras que não cabem em um telefone.
    let comprida = "A".repeat(300);
    let endereco = servidor_que(move |comando| match comando {
        "CONSULTAR" => format!("{comprida}\n"),
        _ => "Compra realizada. Estoque restante: 9\n".into(),
    });
    let pasta = tempfile::tempdir().unwrap();
    let pagina = pasta.path().join("laudo.html");
    let endereco = endereco.to_string();
    let opcoes = ["avaliar", "--servidor", &endereco, "--compradores", "5", "--relatorio"];
    let mut comando = comando("cliente", opcoes);
    comando.arg(&pagina);
    let fim = Processo::iniciar(comando).termino();
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
    assert!(fim.saida.contains("A primeira contradição da pior rodada"), "{fim:?}");
    etiquetas_fecham(&fs::read_to_string(&pagina).unwrap());
    for (tema, opcoes) in TEMAS {
        let medidas = sondar(&navegador, &pagina, opcoes);
        for largura in ["1000", "390"] {
            let medida = &medidas[largura];
            assert_eq!(medida["largura"].to_string(), largura, "{medida}");
            bem_composta(medida, tema);
            let esperados = if largura == "1000" { (1, 0) } else { (0, 1) };
            let vistos = (&medida["largas"], &medida["estreitas"]);
            assert_eq!(vistos, (&esperados.0.into(), &esperados.1.into()), "{medida}");
            // Quatro itens e dois extras, e mais de uma cor entre eles; o porquê, em letra maior.
            let mut cores = lista(&medida["cores_dos_cartoes"]).to_vec();
            assert_eq!(cores.len(), 6, "{medida}");
            cores.dedup();
            assert!(cores.len() > 1, "{medida}");
            assert!(medida["letra_do_visto"].as_f64().unwrap() > 16.0, "{medida}");
        }
    }
}

#[test]
fn em_um_navegador_a_pagina_cabe_na_tela_e_as_cores_sao_as_do_tema() {
    let Some(navegador) = navegador() else {
        println!("sem navegador: teste pulado; instale o chromium");
        return;
    };
    // Um servidor que vende de menos zero: todas as cores dos gráficos, e contradições.
    let mut estoque = 2;
    let endereco = servidor_que(move |comando| match (comando, estoque) {
        ("CONSULTAR", _) => format!("Estoque atual: {estoque}\n"),
        (_, ..=-2) => "ERRO: Produto esgotado\n".into(),
        _ => {
            estoque -= 1;
            let aviso = if estoque <= 0 { "AVISO: O estoque acabou de esgotar!\n" } else { "" };
            format!("Compra realizada. Estoque restante: {estoque}\n{aviso}")
        }
    });
    let pasta = tempfile::tempdir().unwrap();
    let pagina = pasta.path().join("relatorio.html");
    let opcoes = format!(
        "--usuarios 50 --ciclos 2 --exigir falhas=0 --exigir vendas=0 --relatorio {}",
        pagina.display()
    );
    let fim = multidao(endereco, &opcoes);
    assert_eq!(fim.codigo, Some(3), "{fim:?}");
    let html = fs::read_to_string(&pagina).unwrap();
    // As primeiras contradições estão à vista; as outras, recolhidas.
    let desenhos = 5 + contradicoes(&html, "larga").count().min(3);
    assert!(desenhos > 5, "{html}");

    for (tema, opcoes) in TEMAS {
        let medidas = sondar(&navegador, &pagina, opcoes);
        for largura in ["1000", "390"] {
            let medida = &medidas[largura];
            let numero = |nome: &str| medida[nome].as_f64().unwrap();
            assert_eq!(medida["largura"].to_string(), largura, "{medida}");
            bem_composta(medida, tema);
            let esperados = if largura == "1000" { (desenhos, 0) } else { (0, desenhos) };
            let vistos = (&medida["largas"], &medida["estreitas"]);
            assert_eq!(vistos, (&esperados.0.into(), &esperados.1.into()), "{medida}");
            assert!(numero("menor_grafico") > numero("largura") * 0.8, "{medida}");
            assert!(numero("letra_do_grafico") > 9.0, "{tema} {largura}: {medida}");
            assert_eq!(numero("numeros"), 11.0, "{medida}");
            let do_papel = lista(&medida["do_papel"]);
            match tema {
                "claro" => assert_eq!(do_papel.len(), 10, "no claro, as do papel: {medida}"),
                _ => assert_eq!(do_papel.len(), 0, "no escuro, nenhuma do papel: {medida}"),
            }
        }
    }

    // E o que se vê não é uma página em branco.
    let vazia = pasta.path().join("vazia.html");
    fs::write(&vazia, "<!doctype html><title>nada</title>").unwrap();
    let foto = |pagina: &Path, tamanho: &str| {
        let png = pasta.path().join("foto.png");
        let fotografar = format!("--screenshot={}", png.display());
        abrir(&navegador, pagina, &[&fotografar, &format!("--window-size={tamanho}")]);
        let bytes = fs::read(&png).unwrap();
        fs::remove_file(&png).unwrap();
        assert!(bytes.starts_with(b"\x89PNG"), "{} bytes", bytes.len());
        bytes.len()
    };
    for tamanho in ["1000,3000", "390,3000"] {
        let (cheia, vazia) = (foto(&pagina, tamanho), foto(&vazia, tamanho));
        assert!(cheia > 5 * vazia, "{tamanho}: {cheia} bytes, e uma página vazia tem {vazia}");
    }
}
