//! O observador de clientes, de ponta a ponta: clientes de alunos, certos, ou errados de um jeito cada um, e o que se
//! conclui deles. Estão em `alunos_clientes/`, em Python; sem python3, o teste avisa e passa.
//!
//! Todos se observam ao mesmo tempo, porque quase todo o tempo é de espera: um décimo dos tempos do enunciado.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use testes::{Processo, Signal, Termino, ate, comando, porta_livre, python};

/// Quanto o cliente tem em cada cena: o mais demorado dos certos leva 26 s.
const TEMPO_MAXIMO: &str = "40s";

/// As duas cenas, com folga para uma máquina ocupada.
const PRAZO: Duration = Duration::from_secs(120);

/// Cada cliente, e o que dele se acusa.
const CLIENTES: [(&str, &[&str]); 17] = [
    ("de_um_jeito.py certo", &[]),
    ("de_um_jeito.py por_ciclo", &[]),
    ("de_um_jeito.py para_no_aviso", &[]),
    ("de_um_jeito.py nem_sempre_compra", &[]),
    ("thread_que_ouve.py", &[]),
    ("de_um_jeito.py nao_consulta", &["consulta-antes"]),
    ("de_um_jeito.py nao_decide", &["decisao"]),
    ("de_um_jeito.py escuta_pouco", &["escuta"]),
    ("de_um_jeito.py sai_na_hora", &["aberta", "escuta"]),
    ("de_um_jeito.py poucos_ciclos", &["ciclos"]),
    ("de_um_jeito.py ciclos_fixos", &["ciclos-variam"]),
    ("de_um_jeito.py um_por_vez", &["simultaneos"]),
    ("de_um_jeito.py cala_o_aviso", &["aviso"]),
    ("de_um_jeito.py parte_a_resposta", &["colado", "esgotado"]),
    ("de_um_jeito.py espera_linha", &["sem-fim-de-linha"]),
    ("de_um_jeito.py sem_try", &["fecha"]),
    ("de_um_jeito.py nao_termina", &["termina"]),
];

/// O que é só conselho, e não se conta.
const ALEM_DO_ENUNCIADO: [&str; 3] = ["sem-fim-de-linha", "lento", "fecha"];

/// Processos que nada fazem senão gastar o processador, em cada núcleo.
const LACOS_POR_NUCLEO: usize = 4;

/// Quantas vezes se observa cada cliente certo na máquina cheia.
const VEZES: usize = 10;

/// O comando que abre o cliente nesta porta; `None` sem Python.
fn abre(cliente: &str, porta: u16) -> Option<String> {
    let pasta = Path::new(env!("CARGO_MANIFEST_DIR")).join("alunos_clientes");
    let python = python()?;
    Some(format!("cd '{}' && ESCALA=0.1 PORTA={porta} exec '{python}' {cliente}", pasta.display()))
}

fn observar(iniciar: &str, porta: u16, outras: &[&str]) -> Processo {
    let porta = porta.to_string();
    let opcoes = ["avaliar-cliente", "--iniciar", iniciar, "--porta", &porta];
    Processo::iniciar(comando("cliente", [&opcoes, outras].concat()))
}

/// O laudo de um cliente, e a página.
fn laudo(cliente: &str) -> Option<(Value, String, Termino)> {
    let porta = porta_livre();
    let iniciar = abre(cliente, porta)?;
    let pasta = tempfile::tempdir().unwrap();
    let (json, html) = (pasta.path().join("laudo.json"), pasta.path().join("laudo.html"));
    let arquivos = ["--json", json.to_str().unwrap(), "--relatorio", html.to_str().unwrap()];
    let tempos = ["--escala", "0.1", "--tempo-maximo", TEMPO_MAXIMO];
    let fim = observar(&iniciar, porta, &[&arquivos[..], &tempos].concat()).termino_em(PRAZO);
    assert_eq!(fim.codigo, Some(0), "{cliente}: {fim:?}");
    let lido = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    Some((lido, std::fs::read_to_string(html).unwrap(), fim))
}

fn com_estado(laudo: &Value, estado: &str) -> Vec<String> {
    let exigencias = laudo["exigencias"].as_array().unwrap().iter();
    let escolhidas = exigencias.filter(|exigencia| exigencia["estado"] == estado);
    escolhidas.map(|exigencia| exigencia["chave"].as_str().unwrap().to_owned()).collect()
}

fn confere(cliente: &str, acusadas: &[&str]) {
    let Some((laudo, pagina, fim)) = laudo(cliente) else { return };
    assert_eq!(com_estado(&laudo, "nao-cumprido"), acusadas, "{cliente}: {laudo:#}");
    assert!(pagina.contains("<svg") && pagina.contains("O que cada usuário viveu"), "{cliente}");
    let do_enunciado = acusadas.iter().filter(|chave| !ALEM_DO_ENUNCIADO.contains(chave)).count();
    assert!(fim.saida.contains(&format!(", {do_enunciado} não cumprida")), "{}", fim.saida);
    if acusadas.is_empty() {
        // Do certo não basta não acusar: o que é dele tem de ser visto.
        for chave in
            ["simultaneos", "consulta-antes", "decisao", "escuta", "ciclos", "termina", "aberta"]
        {
            let vistas = com_estado(&laudo, "cumprido");
            // Quem para ao ouvir o AVISO não chega a mostrar quantos ciclos faria.
            let parou = chave == "ciclos" && cliente.contains("para_no_aviso");
            assert!(parou || vistas.iter().any(|v| v == chave), "{cliente}: {chave}, {laudo:#}");
        }
    }
}

#[test]
fn do_certo_nada_se_acusa_e_de_cada_errado_so_o_seu_erro() {
    // Mede esperas de décimos de segundo: só onde se pede, em uma máquina parada.
    if std::env::var("OBSERVACAO").as_deref() != Ok("completo") {
        return println!("pulado: só com OBSERVACAO=completo");
    }
    let erros: Vec<&str> = thread::scope(|escopo| {
        let conferir =
            |(cliente, acusadas)| (cliente, escopo.spawn(move || confere(cliente, acusadas)));
        let todos = CLIENTES.map(conferir);
        todos
            .into_iter()
            .filter_map(|(cliente, fio)| fio.join().is_err().then_some(cliente))
            .collect()
    });
    assert_eq!(erros, [""; 0], "o que se viu de cada um está acima");
}

/// Processos que não largam o processador, enquanto isto viver.
struct Carga(Vec<Child>);

impl Carga {
    fn nova() -> Self {
        let nucleos = thread::available_parallelism().map_or(1, usize::from);
        let laco = |_| Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        Carga((0..LACOS_POR_NUCLEO * nucleos).map(laco).collect())
    }
}

impl Drop for Carga {
    fn drop(&mut self) {
        for laco in &mut self.0 {
            laco.kill().and_then(|()| laco.wait()).ok();
        }
    }
}

#[test]
fn em_uma_maquina_cheia_nada_se_acusa_dos_certos() {
    if std::env::var("OBSERVACAO").as_deref() != Ok("ocupada") {
        return println!("pulado: só com OBSERVACAO=ocupada");
    }
    let _carga = Carga::nova();
    let certos = || CLIENTES.into_iter().filter(|(_, acusadas)| acusadas.is_empty());
    for vez in 1..=VEZES {
        thread::scope(|escopo| {
            for (cliente, _) in certos() {
                escopo.spawn(move || {
                    let Some((laudo, ..)) = laudo(cliente) else { return };
                    let acusadas = com_estado(&laudo, "nao-cumprido");
                    assert_eq!(acusadas, [""; 0], "{cliente}, vez {vez}: {laudo:#}");
                    let sem = com_estado(&laudo, "nao-se-viu").join(" ");
                    println!("{cliente}, {vez}: atraso {}; não se viu: {sem}", laudo["atraso"]);
                });
            }
        });
    }
}

#[test]
fn quem_nao_conecta_e_a_porta_ocupada_se_dizem_em_uma_linha() {
    let porta = porta_livre();
    let fim = observar("echo nada a fazer", porta, &[]).termino();
    assert_eq!(fim.codigo, Some(1), "{fim:?}");
    let dito =
        format!("o cliente não conectou em 127.0.0.1:{porta} (nada a fazer); confira a porta");
    assert!(fim.erro.contains(&dito), "{fim:?}");
    let fim = observar("py cliente.py", porta, &[]).termino();
    let dito = format!(
        "cliente: o cliente não conectou em 127.0.0.1:{porta}: não há aqui um programa 'py'; experimente \
         --iniciar 'python3 cliente.py'\n"
    );
    assert_eq!((fim.codigo, fim.erro.as_str()), (Some(1), dito.as_str()));
    let ocupada = TcpListener::bind("0.0.0.0:0").unwrap();
    let porta = ocupada.local_addr().unwrap().port();
    let fim = observar("true", porta, &[]).termino();
    assert_eq!(fim.codigo, Some(1), "{fim:?}");
    assert!(fim.erro.contains(&format!("não posso escutar na porta {porta}")), "{fim:?}");
}

#[test]
fn o_ctrl_c_encerra_o_cliente_e_nao_da_laudo() {
    let porta = porta_livre();
    let Some(iniciar) = abre("de_um_jeito.py nao_termina", porta) else { return };
    let mut observador = observar(&iniciar, porta, &[]);
    ate("o observador escutar", || std::net::TcpStream::connect(("127.0.0.1", porta)).ok());
    observador.sinal(Signal::INT);
    let fim = observador.termino();
    assert_eq!((fim.codigo, fim.saida.as_str()), (Some(130), ""), "{fim:?}");
    assert!(fim.erro.ends_with("cliente: observação interrompida, sem laudo\n"), "{fim:?}");
}
