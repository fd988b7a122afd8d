//! Os números do servidor (`--metricas`), pedidos por um socket como um Prometheus os pede, ao lado do que a multidão
//! viu; e quem ali se porta mal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testes::{PRAZO, Servidor, executar};

/// Um servidor que mostra os números, e onde.
fn servidor(opcoes: &[&str]) -> (Servidor, SocketAddr) {
    let servidor = Servidor::abrir(&[&["--metricas", "0"], opcoes].concat());
    let dito = servidor.erro().ate("onde estão os números", |texto| texto.contains("/metrics"));
    let onde = dito.split_once("http://").unwrap().1.split_once("/metrics").unwrap().0;
    (servidor, onde.parse().unwrap())
}

/// O que se ouve de quem mandou isto.
fn ouvir(onde: SocketAddr, pedido: &str) -> String {
    let mut fluxo = TcpStream::connect(onde).unwrap();
    fluxo.set_read_timeout(Some(PRAZO)).unwrap();
    fluxo.write_all(pedido.as_bytes()).unwrap();
    let mut ouvido = String::new();
    let _ = fluxo.read_to_string(&mut ouvido);
    ouvido
}

fn numeros(onde: SocketAddr) -> String {
    let ouvido = ouvir(onde, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (cabecalho, corpo) = ouvido.split_once("\r\n\r\n").unwrap();
    assert!(cabecalho.starts_with("HTTP/1.1 200 OK\r\n"), "{cabecalho}");
    assert!(cabecalho.contains("text/plain; version=0.0.4"), "{cabecalho}");
    assert!(cabecalho.contains(&format!("Content-Length: {}\r\n", corpo.len())), "{cabecalho}");
    corpo.to_owned()
}

fn numero(numeros: &str, qual: &str) -> f64 {
    let linha = numeros.lines().find_map(|linha| linha.strip_prefix(qual)?.strip_prefix(' '));
    linha.unwrap_or_else(|| panic!("falta {qual} em\n{numeros}")).parse().unwrap()
}

#[test]
fn os_numeros_sao_os_que_a_multidao_viu() {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let (servidor, onde) = servidor(&["--estoque", "20", "--livro", livro.to_str().unwrap()]);
    let mut fica = servidor.cliente();
    assert_eq!(fica.pede("CONSULTAR"), "Estoque atual: 20");
    let endereco = servidor.endereco().to_string();
    let multidao =
        ["--servidor", &endereco, "--usuarios", "30", "--ciclos", "2", "--acelerar", "100"];
    assert_eq!(executar("cliente", multidao).codigo, Some(0));
    assert!(fica.linha().starts_with("AVISO"));
    assert_eq!(fica.pede("PEDIDO a"), "ERRO: Produto esgotado");
    let depois = numeros(onde);
    for (qual, quanto) in [
        ("vendas_unidades_vendidas_total", 20.0),
        ("vendas_estoque_unidades", 0.0),
        ("vendas_conexoes_ativas", 1.0),
        ("vendas_comandos_total{comando=\"COMPRAR\"}", 60.0),
        ("vendas_comandos_total{comando=\"PEDIDO\"}", 1.0),
        ("vendas_compras_recusadas_total", 41.0),
        ("vendas_registro_linhas_perdidas_total", 0.0),
        ("vendas_memoria_guardada_bytes", 0.0),
    ] {
        assert_eq!(numero(&depois, qual), quanto, "{qual}\n{depois}");
    }
    let terminaram: f64 = depois
        .lines()
        .filter(|linha| linha.starts_with("vendas_conexoes_encerradas_total"))
        .map(|linha| linha.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    // A multidão conecta uma vez a mais, para sondar.
    assert_eq!(terminaram + 1.0, numero(&depois, "vendas_conexoes_total"), "{depois}");
    assert!(terminaram >= 30.0, "{depois}");
    assert!((1.0..=31.0).contains(&numero(&depois, "vendas_avisos_total")));
    let gravacoes = numero(&depois, "vendas_livro_gravacao_seconds_count");
    assert!((1.0..=21.0).contains(&gravacoes), "{gravacoes}");
    let pedidos: f64 = numero(&depois, "vendas_lote_pedidos_sum");
    let comandos: f64 = depois
        .lines()
        .filter(|linha| linha.starts_with("vendas_comandos_total"))
        .map(|linha| linha.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(pedidos, comandos, "{depois}");
}

#[test]
fn o_formato_e_o_do_prometheus() {
    let (_servidor, onde) = servidor(&[]);
    let filho = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut filho) = filho else {
        return println!("pulado: não há promtool (apt-get install prometheus)");
    };
    filho.stdin.take().unwrap().write_all(numeros(onde).as_bytes()).unwrap();
    let saida = filho.wait_with_output().unwrap();
    let dito = String::from_utf8_lossy(&saida.stderr);
    assert!(saida.status.success() && dito.is_empty(), "{dito}");
}

#[test]
fn quem_pede_mal_os_numeros_nao_atrasa_quem_compra_nem_quem_pede_bem() {
    let (servidor, onde) = servidor(&["--estoque", "100000"]);
    // Um que se cala, um que não acaba de pedir, e muitos à porta.
    let _calado = TcpStream::connect(onde).unwrap();
    let mut pela_metade = TcpStream::connect(onde).unwrap();
    pela_metade.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    let _muitos: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(onde).unwrap()).collect();
    let mut cliente = servidor.cliente();
    let comeco = Instant::now();
    for restante in (99_000..100_000).rev() {
        let ouvida = format!("Compra realizada. Estoque restante: {restante}");
        assert_eq!(cliente.pede("COMPRAR"), ouvida);
    }
    println!("1000 compras com 202 à porta dos números: {:?}", comeco.elapsed());
    drop(_muitos);
    pela_metade.shutdown(Shutdown::Both).unwrap();
    for (pedido, resposta) in [
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        ("COMPRAR\r\n\r\n", "HTTP/1.1 400 Bad Request"),
    ] {
        let ouvido = ouvir(onde, pedido);
        assert!(ouvido.starts_with(resposta), "{pedido:?}: {ouvido}");
    }
    let lixo = "x".repeat(100_000);
    ouvir(onde, &lixo);
    assert_eq!(numero(&numeros(onde), "vendas_unidades_vendidas_total"), 1000.0);
}

#[test]
fn mil_pedidos_ao_mesmo_tempo_sao_respondidos() {
    let (_servidor, onde) = servidor(&["--silencioso"]);
    let mut todos: Vec<TcpStream> = (0..1000)
        .map(|_| {
            let mut fluxo = TcpStream::connect(onde).unwrap();
            fluxo.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            fluxo.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
            fluxo
        })
        .collect();
    for fluxo in &mut todos {
        let mut ouvido = String::new();
        fluxo.read_to_string(&mut ouvido).unwrap();
        assert!(
            ouvido.ends_with('\n') && ouvido.contains("vendas_turno_seconds_count"),
            "{ouvido}"
        );
    }
}

#[test]
fn a_porta_ocupada_e_a_que_nao_se_entende_sao_ditas_em_uma_linha() {
    let ocupada = TcpListener::bind("127.0.0.1:0").unwrap();
    let porta = ocupada.local_addr().unwrap().port().to_string();
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let opcoes = ["--porta", "0", "--metricas", &porta, "--livro", livro.to_str().unwrap()];
    let termino = executar("servidor", opcoes);
    assert_eq!(termino.codigo, Some(1));
    assert!(
        termino.erro.contains("não posso mostrar os números em 127.0.0.1:"),
        "{}",
        termino.erro
    );
    assert!(termino.erro.contains("--metricas") && termino.erro.lines().count() == 1);
    assert!(!livro.exists(), "não se cria um livro para não vender");
    let errada = executar("servidor", ["--metricas", "aqui"]);
    assert_eq!(errada.codigo, Some(2));
    assert!(errada.erro.contains("como 9464"), "{}", errada.erro);
}
