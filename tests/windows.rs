//! Os programas do Windows, sob o Wine: vendem a uma multidão, compram, guardam, avaliam e encerram em ordem. Só roda
//! onde `.ci/windows` os construiu (a variável `WINDOWS_EXE` diz a pasta); se não, é pulado.
//!
//! O Wine não é o Windows: mostra que os programas falam com o sistema como se deve, e não como o sistema se porta. O
//! que ele não tem (um console de verdade, uma queda de energia) não se vê aqui.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::env;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use testes::{
    Cliente, Processo, Servidor, Signal, Termino, argumentos, ate, comando, ler_metricas, numero,
    onde_mostra, porta_livre, veredito, veredito_do_aviso,
};

/// Um programa do Windows; `None` se não os há.
fn programa(nome: &str, argumentos: &[&str]) -> Option<Command> {
    let Some(pasta) = env::var_os("WINDOWS_EXE").map(PathBuf::from) else {
        println!("pulado: sem WINDOWS_EXE (.ci/windows constrói os programas)");
        return None;
    };
    let mut comando = Command::new("wine");
    comando.arg(pasta.join(format!("{nome}.exe"))).args(argumentos);
    // Um exemplo não está ao lado das DLL.
    comando.env("WINEPATH", &pasta);
    comando.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(comando)
}

/// Executa um programa do Windows até o fim; `None` se não os há.
fn executar(nome: &str, argumentos: &[&str]) -> Option<Termino> {
    executar_em(Duration::from_secs(120), nome, argumentos)
}

/// Como [`executar`], para o que demora até este prazo. Quem não conseguiu executar outro porque o Wine não deixou tenta de
/// novo.
fn executar_em(prazo: Duration, nome: &str, argumentos: &[&str]) -> Option<Termino> {
    let uma_vez = || Some(Processo::iniciar(programa(nome, argumentos)?).termino_em(prazo));
    let termino = uma_vez()?;
    if foi_o_wine(&termino) { uma_vez() } else { Some(termino) }
}

/// O `CreateProcess` do Wine 8 falha assim uma vez em alguns milhares, também a um programa em C que só faça isso: aqui
/// não diz nada do nosso.
fn foi_o_wine(termino: &Termino) -> bool {
    [&termino.saida, &termino.erro].iter().any(|texto| texto.contains("erro 1359 do sistema"))
}

/// O programa terminou com este código. De quem pede para terminar e não some em meio segundo, um em algumas centenas, o
/// wineserver dá cabo com um SIGKILL, e do código não se sabe: o que o programa disse já está dito, e também se confere.
fn confere_o_codigo(termino: &Termino, codigo: i32) {
    let morto_pelo_wine = termino.sinal == Some(Signal::KILL.as_raw());
    assert!(morto_pelo_wine || termino.codigo == Some(codigo), "{termino:?}");
}

fn servidor(opcoes: &[&str]) -> Option<Servidor> {
    programa("servidor", opcoes).map(Servidor::de)
}

#[test]
fn o_servidor_vende_a_multidao_e_avisa_todos() {
    for usuarios in [50, 200] {
        let Some(servidor) = servidor(&["--silencioso"]) else { return };
        let opcoes = format!("--usuarios {usuarios} --ciclos 2 --estoque 10");
        let cliente = comando("cliente", argumentos(servidor.endereco(), &opcoes));
        let termino = Processo::iniciar(cliente).termino_em(Duration::from_secs(120));
        assert_eq!(
            veredito(&termino),
            "Veredito: CONSISTENTE",
            "{}{}",
            termino.saida,
            termino.erro
        );
        assert!(veredito_do_aviso(&termino).contains("certo"), "{}", termino.saida);
    }
}

/// Em laço fechado, com as compras numeradas, e em laço aberto.
#[test]
fn a_multidao_compra_de_um_servidor_daqui() {
    let fechado = "--usuarios 50 --ciclos 2 --acelerar 20";
    for opcoes in
        [fechado, &format!("{fechado} --pedidos"), "--usuarios 20 --taxa 40/s --durante 3s"]
    {
        let servidor = Servidor::abrir(&["--silencioso"]);
        let endereco = servidor.endereco().to_string();
        let opcoes: Vec<&str> =
            ["--servidor", &endereco].into_iter().chain(opcoes.split(' ')).collect();
        let Some(termino) = executar("cliente", &opcoes) else { return };
        confere_o_codigo(&termino, 0);
        assert!(termino.saida.contains("Veredito: CONSISTENTE"), "{opcoes:?}: {}", termino.saida);
        assert!(termino.saida.contains("duração"), "os acentos: {}", termino.saida);
    }
}

#[test]
fn quem_fecha_a_escrita_ouve_tudo_uma_linha_longa_e_recusada_e_um_reset_nao_derruba() {
    let Some(servidor) = servidor(&["--estoque", "3"]) else { return };
    let mut cliente = servidor.cliente();
    cliente.manda("CONSULTAR\r\nCOMPRAR\r\n");
    cliente.fechar_escrita();
    assert_eq!(cliente.fim(), "Estoque atual: 3\nCompra realizada. Estoque restante: 2\n");
    let mut longa = servidor.cliente();
    longa.manda("x".repeat(1000));
    assert_eq!(longa.fim(), "ERRO: Linha longa demais\n");
    let mut quebra = servidor.cliente();
    quebra.manda("COMP");
    quebra.resetar();
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 2");
}

/// O laço lê até o socket secar, ainda que a leitura de um turno não baste: aqui um aviso de que há o que ler só se
/// repete depois disso.
#[test]
fn tudo_o_que_chega_de_uma_vez_e_respondido() {
    let Some(servidor) = servidor(&["--silencioso", "--estoque", "100000"]) else { return };
    let mut cliente: Cliente = servidor.cliente();
    let mut outra_mao = cliente.outra_mao();
    let mandar = std::thread::spawn(move || {
        std::io::Write::write_all(&mut outra_mao, "COMPRAR\n".repeat(20_000).as_bytes()).unwrap();
    });
    let ultima = cliente.linhas(20_000).pop().unwrap();
    assert_eq!(ultima, "Compra realizada. Estoque restante: 80000");
    mandar.join().unwrap();
}

#[test]
fn o_ctrl_c_encerra_em_ordem_com_as_contas() {
    let Some(mut servidor) = servidor(&[]) else { return };
    assert_eq!(servidor.cliente().pede("COMPRAR"), "Compra realizada. Estoque restante: 9");
    servidor.sinal(Signal::INT);
    let termino = servidor.termino();
    confere_o_codigo(&termino, 0);
    assert_eq!(termino.conta("vendas"), 1, "{}", termino.erro);
}

#[test]
fn um_livro_sobrevive_a_vinte_quedas() {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let opcoes = ["--silencioso", "--livro", livro.to_str().unwrap()];
    for queda in 0..20 {
        let primeira = ["--estoque", "1000"];
        let opcoes = [&opcoes[..], if queda == 0 { &primeira } else { &[] }].concat();
        let Some(mut servidor) = servidor(&opcoes) else { return };
        let mut cliente = servidor.cliente();
        assert_eq!(cliente.pede("CONSULTAR"), format!("Estoque atual: {}", 1000 - 3 * queda));
        for _ in 0..3 {
            assert!(cliente.pede("COMPRAR").starts_with("Compra realizada"));
        }
        servidor.insistir(Signal::KILL);
    }
    let termino = testes::executar("servidor", ["extrato", livro.to_str().unwrap(), "--json"]);
    assert!(termino.saida.contains("\"vendidas\":60"), "{}{}", termino.saida, termino.erro);
}

#[test]
fn um_pedido_repetido_tem_a_mesma_resposta_tambem_depois_de_uma_queda() {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let opcoes = ["--silencioso", "--livro", livro.to_str().unwrap()];
    let vendida = "Compra realizada. Estoque restante: 9";
    let Some(mut primeiro) = servidor(&opcoes) else { return };
    let mut cliente = primeiro.cliente();
    assert_eq!(cliente.pede("PEDIDO ana-1"), vendida);
    assert_eq!(cliente.pede("PEDIDO ana-1"), vendida);
    primeiro.insistir(Signal::KILL);
    let Some(segundo) = servidor(&opcoes) else { return };
    let mut cliente = segundo.cliente();
    assert_eq!(cliente.pede("PEDIDO ana-1"), vendida);
    assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 9");
}

#[test]
fn as_metricas_contam_o_que_se_vendeu() {
    let Some(servidor) = servidor(&["--silencioso", "--metricas", "0"]) else { return };
    let onde = onde_mostra(&servidor);
    let mut cliente = servidor.cliente();
    for _ in 0..3 {
        assert!(cliente.pede("COMPRAR").starts_with("Compra realizada"));
    }
    let metricas = ler_metricas(onde);
    assert_eq!(numero(&metricas, "vendas_unidades_vendidas_total"), 3, "{metricas}");
    assert_eq!(numero(&metricas, "vendas_conexoes_ativas"), 1, "{metricas}");
}

/// Aqui não há por onde pedir a um servidor aberto: repõe-se com ele fechado.
#[test]
fn repoe_se_com_o_servidor_fechado_e_com_ele_aberto_diz_que_nao() {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let livro = livro.to_str().unwrap();
    let Some(mut aberto) = servidor(&["--silencioso", "--livro", livro]) else { return };
    assert_eq!(aberto.cliente().pede("COMPRAR"), "Compra realizada. Estoque restante: 9");
    let Some(recusa) = executar("servidor", &["--livro", livro, "--repor", "5"]) else { return };
    confere_o_codigo(&recusa, 1);
    assert_eq!(aberto.cliente().pede("CONSULTAR"), "Estoque atual: 9");
    aberto.sinal(Signal::INT);
    aberto.termino();
    let Some(reposto) = executar("servidor", &["--livro", livro, "--repor", "5"]) else { return };
    confere_o_codigo(&reposto, 0);
    assert!(reposto.erro.contains("14 à venda"), "{}", reposto.erro);
}

/// Como o Windows vê um arquivo daqui.
fn no_windows(caminho: &Path) -> String {
    format!("Z:{}", caminho.display()).replace('/', "\\")
}

/// O boletim que o avaliador do Windows dá a um servidor nosso, posto em uma pasta com espaços no nome; o comando leva as
/// opções também entre aspas, que é quando o `cmd` se confunde.
fn boletim(servidor: &str, opcoes: &str) -> Option<String> {
    let origem = PathBuf::from(env::var_os("WINDOWS_EXE")?);
    let pasta = tempfile::Builder::new().prefix("a minha entrega ").tempdir().unwrap();
    let copia = pasta.path().join("meu servidor.exe");
    fs::copy(origem.join(servidor), &copia).unwrap();
    fs::copy(origem.join("bcryptprimitives.dll"), pasta.path().join("bcryptprimitives.dll"))
        .unwrap();
    let porta = porta_livre().to_string();
    let iniciar = format!("\"{}\" --porta \"{porta}\" {opcoes}", no_windows(&copia));
    let opcoes = ["avaliar", "--iniciar", &iniciar, "--porta", &porta];
    // Em uma máquina muito ocupada, uma avaliação inteira demora.
    let termino = executar_em(Duration::from_secs(600), "cliente", &opcoes)?;
    assert!(termino.saida.contains("Nota:"), "{}{}", termino.saida, termino.erro);
    Some(termino.saida)
}

#[test]
fn o_avaliador_da_dez_a_um_servidor_certo_e_nao_a_um_sem_a_trava() {
    let exemplo = "examples/thread_por_conexao.exe";
    for servidor in ["servidor.exe", exemplo] {
        // Em uma máquina muito ocupada, um dos cinquenta compradores pode passar do prazo: até três vezes.
        let Some(mut certo) = boletim(servidor, "") else { return };
        for _ in 0..2 {
            if !certo.contains("Nota: 10,0") {
                certo = boletim(servidor, "").unwrap();
            }
        }
        assert!(certo.contains("Nota: 10,0"), "{servidor}: {certo}");
    }
    let Some(errado) = boletim(exemplo, "--sem-trava --pausa \"5ms\"") else { return };
    assert!(!errado.contains("Nota: 10,0"), "{errado}");
    assert!(errado.contains("INCONSISTENTE") || errado.contains("vendeu"), "{errado}");
}

/// Um job object, no Windows: acaba quem o avaliador abriu, acabe ele como acabar.
#[test]
fn o_servidor_avaliado_acaba_com_o_avaliador() {
    let Some(pasta) = env::var_os("WINDOWS_EXE").map(PathBuf::from) else { return };
    let porta = porta_livre();
    let numero = porta.to_string();
    let servidor = no_windows(&pasta.join("servidor.exe"));
    let iniciar = format!("\"{servidor}\" --silencioso --porta {porta}");
    let opcoes = ["avaliar", "--iniciar", &iniciar, "--porta", &numero];
    let avaliar = || programa("cliente", &opcoes).map(Processo::iniciar);
    let Some(mut avaliador) = avaliar() else { return };
    let atende = || TcpStream::connect(("127.0.0.1", porta)).is_ok();
    ate("o servidor abrir", || {
        // Só o Wine o impede de abrir, e raramente: veja `foi_o_wine`.
        if avaliador.terminou() {
            avaliador = avaliar()?;
        }
        atende().then_some(())
    });
    avaliador.insistir(Signal::KILL);
    ate("o servidor acabar", || (!atende()).then_some(()));
}

#[test]
fn a_turma_diz_o_que_usar_em_vez_dela() {
    for argumentos in [&["turma", "entregas"][..], &["turma", "--moodle", "notas.csv", "entregas"]]
    {
        let Some(termino) = executar("cliente", argumentos) else { return };
        confere_o_codigo(&termino, 1);
        assert!(
            termino.erro.contains("WSL") && termino.erro.contains("avaliar"),
            "{}",
            termino.erro
        );
    }
}

#[test]
fn a_porta_de_um_servidor_aberto_nao_se_da_a_outro() {
    let Some(primeiro) = servidor(&["--silencioso"]) else { return };
    let porta = primeiro.endereco().port().to_string();
    let Some(termino) = executar("servidor", &["--porta", &porta]) else { return };
    confere_o_codigo(&termino, 1);
    assert!(termino.erro.contains("já está em uso"), "{}", termino.erro);
    assert_eq!(primeiro.cliente().pede("CONSULTAR"), "Estoque atual: 10");
}

/// O Wine recusa quem a queira tomar com ou sem o que pedimos; um Windows, só por causa dele. O que aqui pode falhar é o
/// que se pede, que o Wine conta, e quando: depois do `bind` já não valeria.
#[test]
fn quem_escuta_pede_que_ninguem_tome_a_porta_e_quem_tenta_e_recusado() {
    let porta = porta_livre().to_string();
    let servir = ["--silencioso", "--porta", &porta];
    let Some(aberto) = programa("servidor", &servir).map(contando_os_sockets) else { return };
    let dito = aberto.erro.ate("a linha de abertura", |texto| texto.contains("ouvindo em "));
    confere_a_ordem(&dito, &porta);
    let Some(ladrao) = executar("examples/tomar_a_porta", &["--porta", &porta]) else { return };
    confere_o_codigo(&ladrao, 0);
    assert_eq!(ladrao.erro.matches(": recusada").count(), 4, "{}", ladrao.erro);
    let observar = ["avaliar-cliente", "--iniciar", "exit", "--porta"];
    let porta = porta_livre().to_string();
    let Some(comando) = programa("cliente", &[&observar[..], &[&porta]].concat()) else { return };
    let observado = contando_os_sockets(comando).termino_em(Duration::from_secs(60));
    confere_a_ordem(&observado.erro, &porta);
}

/// O que o Wine conta do que o programa faz com os sockets sai na saída de erro dele.
fn contando_os_sockets(mut comando: Command) -> Processo {
    comando.env("WINEDEBUG", "+winsock");
    Processo::iniciar(comando)
}

/// A opção se pede, e é aceita, antes de cada `bind` a esta porta.
fn confere_a_ordem(contado: &str, porta: &str) {
    let bind = format!("port {porta}");
    let passos: Vec<&str> = contado
        .lines()
        .filter_map(|linha| {
            let pede = linha.contains("name SO_EXCLUSIVEADDRUSE");
            let liga = linha.contains("winsock:bind socket") && linha.contains(&bind);
            pede.then_some("pede").or(liga.then_some("liga"))
        })
        .collect();
    assert!(passos.contains(&"liga"), "{contado}");
    assert!(passos.chunks(2).all(|par| par == ["pede", "liga"]), "{passos:?} {contado}");
}

/// No Windows o Python se chama `py`; aqui não há nenhum.
#[test]
fn um_python_que_falta_e_dito_em_uma_linha_com_o_que_tentar() {
    let porta = porta_livre().to_string();
    for (acao, inicio) in [
        ("avaliar", "cliente: o servidor terminou antes de abrir".to_owned()),
        ("avaliar-cliente", format!("cliente: o cliente não conectou em 127.0.0.1:{porta}")),
    ] {
        let opcoes = [acao, "--iniciar", "python3 programa.py", "--porta", &porta];
        let Some(termino) = executar("cliente", &opcoes) else { return };
        let falta = "não há aqui um programa 'python3'; experimente --iniciar \"py programa.py\"";
        confere_o_codigo(&termino, 1);
        assert!(termino.erro.contains(&format!("{inicio}: {falta}")), "{}", termino.erro);
    }
}

/// É o que chega quando o `cmd` lê `--iniciar 'py servidor.py'`.
#[test]
fn as_aspas_simples_do_cmd_sao_ditas() {
    let Some(termino) = executar("cliente", &["avaliar", "--iniciar", "'py", "servidor.py'"])
    else {
        return;
    };
    confere_o_codigo(&termino, 2);
    assert!(termino.erro.contains("use aspas duplas"), "{}", termino.erro);
}
