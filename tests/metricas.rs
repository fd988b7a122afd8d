//! As métricas (`--metricas`): dizem o que os clientes viram, no formato do Prometheus, e quem as lê, por pior que se
//! comporte, tem o seu lugar e o seu prazo. Que não atrasam uma venda está em `tests/falhas`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use testes::{
    Cliente, LER_METRICAS, PAINEL_E_TEXTO, Servidor, ate, conta, corpo, ler, ler_metricas,
    metricas_citadas, metricas_da_tabela, multidao, nao_abre, numero, onde_mostra, porta_livre,
    veredito,
};

/// A soma de todos os rótulos de `nome`.
fn soma(metricas: &str, nome: &str) -> u64 {
    let valores = metricas.lines().filter_map(|linha| {
        let resto = linha.strip_prefix(nome)?.strip_prefix('{')?;
        resto.split_once("} ")?.1.parse::<u64>().ok()
    });
    valores.sum()
}

#[test]
fn o_que_se_le_e_o_que_a_multidao_viu() {
    let mut servidor = Servidor::abrir(&["--metricas", "0", "--estoque", "60"]);
    let onde = onde_mostra(&servidor);
    let fim = multidao(servidor.endereco(), "--usuarios 12");
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    // A despedida do último pode ainda não ter chegado.
    let texto = ate("todos saírem", || {
        Some(ler_metricas(onde)).filter(|texto| numero(texto, "vendas_conexoes_ativas") == 0)
    });
    let (ciclos, vendas) = (conta(&fim, "ciclos"), conta(&fim, "vendas"));
    let do_texto = |nome: &str| numero(&texto, nome);
    assert_eq!((vendas, do_texto("vendas_unidades_vendidas_total")), (60, 60));
    assert_eq!(do_texto("vendas_compras_recusadas_total"), conta(&fim, "recusas"));
    assert_eq!(do_texto("vendas_comandos_total{comando=\"CONSULTAR\"}"), ciclos);
    assert_eq!(do_texto("vendas_comandos_total{comando=\"COMPRAR\"}"), ciclos);
    assert_eq!(soma(&texto, "vendas_comandos_total"), 2 * ciclos);
    assert_eq!(do_texto("vendas_turno_comandos_sum"), 2 * ciclos);
    assert_eq!(do_texto("vendas_estoque_unidades"), 0);
    assert_eq!(do_texto("vendas_avisos_total"), conta(&fim, "AVISOs"));
    // Mais uma: a visita da multidão, que só escuta.
    assert_eq!(do_texto("vendas_conexoes_atendidas_total"), 13);
    assert_eq!(do_texto("vendas_conexoes_ativas_pico"), 12);
    assert_eq!(soma(&texto, "vendas_conexoes_encerradas_total"), 13);
    assert_eq!(do_texto("vendas_guardado_bytes"), 0);
    assert!(do_texto("vendas_turno_duracao_seconds_count") > 0);
    let contas = servidor.encerrar();
    assert_eq!((contas.conta("comandos"), contas.conta("vendas")), (2 * ciclos, 60));
}

#[test]
fn cada_fim_e_cada_recusa_se_contam_pelo_motivo() {
    let servidor = Servidor::abrir(&["--metricas", "0", "--max-conexoes", "1"]);
    let onde = onde_mostra(&servidor);
    let vago = || {
        ate("o lugar vagar", || {
            (numero(&ler_metricas(onde), "vendas_conexoes_ativas") == 0).then_some(())
        });
    };
    servidor.cliente().pede("SAIR");
    vago();
    servidor.cliente().pede("GET / HTTP/1.1");
    vago();
    let mut dentro = servidor.cliente();
    dentro.pede("CONSULTAR");
    assert_eq!(servidor.cliente().fim(), "ERRO: Servidor lotado\n");
    drop(dentro);
    vago();
    let texto = ler_metricas(onde);
    for (nome, quantas) in [("sair", 1), ("outro protocolo", 1), ("fim", 1), ("reset", 0)] {
        let nome = format!("vendas_conexoes_encerradas_total{{fim=\"{nome}\"}}");
        assert_eq!(numero(&texto, &nome), quantas, "{nome}");
    }
    assert_eq!(numero(&texto, "vendas_conexoes_recusadas_total{motivo=\"lotado\"}"), 1);
    assert_eq!(numero(&texto, "vendas_conexoes_recusadas_total{motivo=\"lotado para o IP\"}"), 0);
    assert_eq!(numero(&texto, "vendas_comandos_total{comando=\"HTTP\"}"), 1);
}

#[test]
fn com_livro_conta_se_cada_lote_que_foi_ao_disco_e_so_esses() {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let servidor = Servidor::abrir(&["--metricas", "0", "--livro", livro.to_str().unwrap()]);
    let onde = onde_mostra(&servidor);
    let mut cliente = servidor.cliente();
    for restante in [9, 8, 7] {
        cliente.pede("CONSULTAR");
        assert_eq!(
            cliente.pede("COMPRAR"),
            format!("Compra realizada. Estoque restante: {restante}")
        );
    }
    let firmados = numero(&ler_metricas(onde), "vendas_livro_firmar_duracao_seconds_count");
    assert_eq!(firmados, 3);
}

#[test]
fn as_linhas_que_o_registro_perde_se_contam() {
    let servidor = Servidor::abrir(&["--metricas", "0", "--registro", "/dev/full"]);
    let onde = onde_mostra(&servidor);
    let perdidas = "vendas_registro_linhas_perdidas_total";
    let mut cliente = servidor.cliente();
    cliente.pede("CONSULTAR");
    cliente.pede("COMPRAR");
    // A abertura, a conexão e os dois pedidos.
    ate("quatro linhas perdidas", || (numero(&ler_metricas(onde), perdidas) == 4).then_some(()));
}

#[test]
fn o_promtool_diz_que_o_formato_esta_certo() {
    if Command::new("promtool").arg("--version").output().is_err() {
        return println!("pulado: falta promtool (o pacote prometheus do Debian)");
    }
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let servidor = Servidor::abrir(&["--metricas", "0", "--livro", livro.to_str().unwrap()]);
    let mut cliente = servidor.cliente();
    cliente.pede("COMPRAR");
    let texto = ler_metricas(onde_mostra(&servidor));
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut promtool = promtool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(texto.as_bytes()).unwrap();
    let dito = promtool.wait_with_output().unwrap();
    let queixas = String::from_utf8_lossy(&dito.stderr).into_owned();
    assert!(dito.status.success() && queixas.is_empty(), "{queixas}\n{texto}");
}

#[test]
fn o_painel_e_o_texto_do_operador_falam_das_metricas_que_ha() {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let servidor = Servidor::abrir(&["--metricas", "0", "--livro", livro.to_str().unwrap()]);
    // As de um estoque partilhado só há com um, e lá se conferem.
    let do_livro = |nome: &String| !nome.starts_with("partilhado_");
    let ha = metricas_citadas(&ler_metricas(onde_mostra(&servidor)));
    let [painel, texto] = PAINEL_E_TEXTO.map(ler);
    for (nome, texto) in PAINEL_E_TEXTO.into_iter().zip([&painel, &texto]) {
        let fala: BTreeSet<String> = metricas_citadas(texto).into_iter().filter(do_livro).collect();
        assert!(fala.len() >= 5, "{nome}: {fala:?}");
        assert_eq!(fala.difference(&ha).collect::<Vec<_>>(), [""; 0], "{nome}");
    }
    let da_tabela: BTreeSet<String> = metricas_da_tabela(&texto).filter(do_livro).collect();
    assert_eq!(da_tabela, ha);
    let painel: serde_json::Value = serde_json::from_str(&painel).unwrap();
    assert!(painel["panels"].as_array().is_some_and(|paineis| !paineis.is_empty()));
}

#[test]
fn quem_pede_outra_coisa_ouve_o_que_errou() {
    let servidor = Servidor::abrir(&["--metricas", "0"]);
    let onde = onde_mostra(&servidor);
    let longo = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(8 * 1024));
    let com_corpo = format!("POST /metrics HTTP/1.1\r\n\r\n{}", "COMPRAR\n".repeat(1024));
    let casos = [
        ("GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("DELETE /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        (&com_corpo, "405 Method Not Allowed"),
        (&longo, "431 Request Header Fields Too Large"),
        ("COMPRAR\n", "400 Bad Request"),
        ("\x16\x03\x01\n", "400 Bad Request"),
    ];
    for (pedido, situacao) in casos {
        let mut leitor = Cliente::conectar(onde);
        leitor.manda(pedido);
        // Um reset apagaria a resposta: `fim` não o aceita.
        let resposta = leitor.fim();
        assert!(
            resposta.starts_with(&format!("HTTP/1.1 {situacao}\r\n")),
            "{pedido:?}: {resposta}"
        );
    }
    assert_eq!(numero(&ler_metricas(onde), "vendas_unidades_vendidas_total"), 0);
}

#[test]
fn um_head_ouve_so_os_cabecalhos() {
    let servidor = Servidor::abrir(&["--metricas", "0"]);
    let onde = onde_mostra(&servidor);
    for (caminho, situacao) in [("/metrics", "200 OK"), ("/", "404 Not Found")] {
        let mut leitor = Cliente::conectar(onde);
        leitor.manda(format!("HEAD {caminho} HTTP/1.1\r\n\r\n"));
        let resposta = leitor.fim();
        assert!(resposta.starts_with(&format!("HTTP/1.1 {situacao}\r\n")), "{resposta}");
        assert!(resposta.ends_with("\r\n\r\n"), "{resposta}");
    }
}

#[test]
fn a_porta_das_vendas_nao_serve_as_metricas_e_isso_se_sabe_antes_de_criar_o_livro() {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let porta = porta_livre().to_string();
    for onde in [porta.clone(), format!("0.0.0.0:{porta}")] {
        let opcoes = ["--porta", &porta, "--metricas", &onde, "--livro", livro.to_str().unwrap()];
        let erro = nao_abre(&opcoes);
        assert!(erro.ends_with("em uso; escolha outra porta com --metricas\n"), "{erro}");
        assert!(!livro.exists(), "{onde}");
    }
}

#[test]
fn de_um_endereco_que_nao_e_desta_maquina_nao_se_diz_para_mudar_a_porta() {
    // De documentação (RFC 5737): não é de ninguém.
    let erro = nao_abre(&["--porta", "0", "--metricas", "203.0.113.5:9464"]);
    assert!(erro.contains("escolha outro endereço, ou diga só a porta, com --metricas"), "{erro}");
}

#[test]
fn um_pedido_aos_poucos_e_um_pela_metade_tem_cada_um_o_seu_lugar() {
    let servidor = Servidor::abrir(&["--metricas", "0"]);
    let onde = onde_mostra(&servidor);
    // Mais do que os lugares: os que sobram esperam à porta.
    let mut parados: Vec<_> = (0..80).map(|_| Cliente::conectar(onde)).collect();
    for parado in &mut parados {
        parado.manda("GET /metrics HTTP/1.1\r\nHo");
    }
    // Quem vem atrás deles é atendido, quando o prazo de cada um acaba; e nenhum ouve nada.
    ler_metricas(onde);
    for mut parado in parados {
        assert_eq!(parado.ouve(), None);
    }
    let mut lento = Cliente::conectar(onde);
    for pedaco in LER_METRICAS.as_bytes().chunks(7) {
        lento.manda(pedaco);
    }
    corpo(&lento.fim());
    assert_eq!(servidor.cliente().pede("COMPRAR"), "Compra realizada. Estoque restante: 9");
}

#[test]
fn so_com_a_porta_atende_so_esta_maquina_e_uma_ocupada_se_diz() {
    let servidor = Servidor::abrir(&["--metricas", "0"]);
    assert!(onde_mostra(&servidor).ip().is_loopback());
    let ocupada = TcpListener::bind("127.0.0.1:0").unwrap();
    let endereco = ocupada.local_addr().unwrap().to_string();
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let opcoes = ["--porta", "0", "--metricas", &endereco, "--livro", livro.to_str().unwrap()];
    let erro = nao_abre(&opcoes);
    let esperado = format!("servidor: não posso mostrar as métricas em {endereco}: ");
    assert!(erro.starts_with(&esperado), "{erro}");
    assert!(erro.ends_with("; escolha outra porta com --metricas\n"), "{erro}");
    assert!(!livro.exists(), "sem porta não se cria um livro");
}
