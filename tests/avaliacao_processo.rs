//! O avaliador diante do processo do servidor: o terminal, os endereços, o fim dele e dos que ele deixa, e
//! por que caiu. A nota dos servidores é assunto de `avaliacao.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testes::{
    Processo, Servidor, Signal, Termino, abre, ate, binario, comando, ninguem_atende,
    palavras_em_ingles, porta_livre, python, script,
};

const PRAZO_DA_AVALIACAO: Duration = Duration::from_secs(100);

/// Põe o avaliador para trabalhar com o servidor que este comando abre nesta porta.
fn iniciar(iniciar: &str, porta: u16, outras: &[&str]) -> Processo {
    let porta = porta.to_string();
    let opcoes = [&["avaliar", "--iniciar", iniciar, "--porta", &porta], outras].concat();
    Processo::iniciar(comando("cliente", opcoes))
}

/// Avalia até o fim, em uma rodada de doze, e lê o laudo; confere que o servidor não ficou.
fn laudo(comando: &str, porta: u16, outras: &[&str]) -> (Value, String) {
    let pasta = tempfile::tempdir().unwrap();
    let json = pasta.path().join("laudo.json");
    let breve = ["--rodadas", "1", "--compradores", "12", "--json", json.to_str().unwrap()];
    let fim = iniciar(comando, porta, &[&breve, outras].concat()).termino_em(PRAZO_DA_AVALIACAO);
    assert_eq!((fim.codigo, fim.erro.as_str()), (Some(0), ""), "{fim:?}");
    ninguem_atende(porta);
    (serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap(), fim.saida)
}

/// Não há nota; volta a linha que diz por quê.
fn recusa(comando: &str, porta: u16, outras: &[&str]) -> String {
    let Termino { codigo, saida, erro, .. } =
        iniciar(comando, porta, outras).termino_em(PRAZO_DA_AVALIACAO);
    assert_eq!((codigo, saida.as_str(), erro.matches('\n').count()), (Some(1), "", 1), "{erro}");
    erro
}

#[track_caller]
fn tem(texto: &str, frases: &[&str]) {
    for frase in frases {
        assert!(texto.contains(frase), "'{frase}' não está em:\n{texto}");
    }
}

// O terminal.

#[test]
fn quem_pergunta_antes_de_abrir_e_avaliado_com_a_resposta_e_sem_ela_se_diz_o_que_fazer() {
    let porta = porta_livre();
    let Some(comando) = abre("pergunta_a_porta.py", porta) else { return };
    let erro = recusa(&comando, porta, &["--espera", "1s"]);
    tem(&erro, &["o console parou em 'Porta:'", "dê-a com --entrada \"texto\""]);
    assert_eq!(palavras_em_ingles(&erro), [""; 0], "{erro}");
    let (laudo, saida) = laudo(&comando, porta, &["--entrada", &porta.to_string()]);
    // O que se digitou não conta como linha do log.
    assert_eq!(
        (&laudo["nota"], &laudo["extras"][0]["estado"]),
        (&10.0.into(), &"nao-cumprido".into()),
        "{saida}"
    );
}

#[test]
fn cada_barra_n_da_entrada_comeca_outra_linha_e_o_que_se_digita_nao_volta() {
    let comando = "read a; read b; echo \"$b depois de $a\"; exit 1";
    let erro = recusa(comando, porta_livre(), &["--entrada", r"um\ndois"]);
    assert_eq!(erro, "cliente: o servidor terminou antes de abrir (dois depois de um)\n");
    let erro = recusa("read a; exit 1", porta_livre(), &["--entrada", "um"]);
    assert_eq!(erro, "cliente: o servidor terminou antes de abrir\n");
}

#[test]
fn a_entrada_e_as_saidas_do_servidor_sao_um_terminal_que_e_o_dele() {
    let comando = "test -t 0 && test -t 1 && test -t 2 && : < /dev/tty && stty size; exit 1";
    let erro = recusa(comando, porta_livre(), &[]);
    assert_eq!(erro, "cliente: o servidor terminou antes de abrir (24 80)\n");
}

// Os endereços.

#[test]
fn quem_so_escuta_no_ipv6_desta_maquina_e_achado_e_dito() {
    if TcpListener::bind("[::1]:0").is_err() {
        println!("sem IPv6: teste pulado");
        return;
    }
    let porta = porta_livre();
    let Some(comando) = abre("so_ipv6.py", porta) else { return };
    let (laudo, saida) = laudo(&comando, porta, &[]);
    assert_eq!(laudo["nota"], 10.0, "{saida}");
    tem(&saida, &["não atende em 127.0.0.1, e sim em ::1"]);
    assert!(TcpStream::connect(("::1", porta)).is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn quem_so_escuta_em_outro_endereco_da_maquina_e_achado_e_quem_abre_outra_porta_e_dito() {
    let Some(python) = python() else { return };
    let porta = porta_livre();
    let texto = std::fs::read_to_string(script("basico.py")).unwrap();
    let pasta = tempfile::tempdir().unwrap();
    let caminho = pasta.path().join("s.py");
    std::fs::write(&caminho, texto.replace("0.0.0.0", "127.0.1.1")).unwrap();
    let comando = format!("exec '{python}' '{}' {porta}", caminho.display());
    let (laudo, saida) = laudo(&comando, porta, &[]);
    assert_eq!(laudo["nota"], 10.0, "{saida}");
    tem(&saida, &["e sim em 127.0.1.1"]);
    let erro = recusa(&comando, porta_livre(), &["--espera", "1s"]);
    tem(&erro, &[&format!("e sim a porta {porta}"), "confira --porta"]);
}

#[test]
#[cfg(target_os = "linux")]
fn o_dono_da_porta_ocupada_tem_nome_e_numero() {
    let dono = Servidor::abrir(&[]);
    let erro = recusa("exec sleep 600", dono.endereco().port(), &[]);
    tem(&erro, &["'servidor --", "(processo ", "encerre-o com kill ", "--servidor"]);
}

// O fim.

/// Mata o avaliador assim, com o servidor aberto, e confere que o servidor se vai.
fn morto_por(sinais: &[Signal], comando: &str, porta: u16) {
    let mut avaliador = iniciar(comando, porta, &["--rodadas", "1000"]);
    ate("o servidor abrir", || TcpStream::connect(("127.0.0.1", porta)).ok());
    for sinal in sinais {
        avaliador.sinal(*sinal);
    }
    avaliador.termino();
    ninguem_atende(porta);
}

#[test]
fn o_servidor_acaba_com_o_avaliador_acabe_este_como_acabar() {
    let porta = porta_livre();
    let Some(aberto) = abre("basico.py", porta) else { return };
    let surdo = format!("trap '' HUP TERM INT; {}", aberto.trim_start_matches("exec "));
    for sinais in
        [&[Signal::HUP][..], &[Signal::TERM], &[Signal::INT, Signal::INT], &[Signal::KILL]]
    {
        morto_por(sinais, &surdo, porta);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn o_que_foi_para_o_segundo_plano_e_avaliado_dito_e_encerrado() {
    let porta = porta_livre();
    let Some(comando) = abre("segundo_plano.py", porta) else { return };
    let (laudo, saida) = laudo(&comando, porta, &[]);
    assert_eq!(laudo["nota"], 10.0, "{saida}");
    tem(&saida, &["deixou o servidor em segundo plano"]);
    morto_por(&[Signal::KILL], &comando, porta);
}

// Por que caiu.

/// A razão da primeira conferência de Robustez que não valeu.
fn queda(laudo: &Value) -> String {
    let robustez = laudo["itens"][3]["conferencias"].as_array().unwrap();
    let viu = |c: &Value| c["viu"].as_str().unwrap().to_owned();
    robustez.iter().map(viu).find(|viu| !viu.starts_with("os outros")).unwrap_or_default()
}

#[test]
fn o_laco_do_aviso_que_escreve_a_quem_saiu_tem_a_linha_e_o_que_mudar() {
    let porta = porta_livre();
    let Some(comando) = abre("aviso_sem_try.py", porta) else { return };
    let (laudo, saida) = laudo(&comando, porta, &[]);
    let texto = std::fs::read_to_string(script("aviso_sem_try.py")).unwrap();
    let linha = texto.lines().position(|linha| linha.contains("cliente.sendall")).unwrap() + 1;
    let queda = queda(&laudo);
    tem(
        &queda,
        &[
            &format!("aviso_sem_try.py, linha {linha}: 'cliente.sendall("),
            "o laço do AVISO",
            "try/except",
        ],
    );
    assert!(!saida.contains("threading.py"), "{saida}");
}

#[test]
fn quem_morre_por_um_sinal_tem_o_nome_do_sinal_e_nao_o_buffer() {
    let porta = porta_livre();
    let Some(comando) = abre("falha_de_segmentacao.py", porta) else { return };
    // Com o sh no meio, quem conta é o código de saída dele.
    for comando in [comando.clone(), format!("{}; exit $?", comando.trim_start_matches("exec "))] {
        let queda = queda(&laudo(&comando, porta, &[]).0);
        tem(&queda, &["o servidor terminou com SIGSEGV (falha de segmentação)"]);
        assert!(!queda.contains("xxxx"), "{queda}");
    }
}

#[test]
fn um_erro_de_sintaxe_tem_arquivo_e_linha() {
    let Some(python) = python() else { return };
    let pasta = tempfile::tempdir().unwrap();
    let caminho = pasta.path().join("meu.py");
    std::fs::write(&caminho, "import socket\nif socket = 1:\n    pass\n").unwrap();
    let erro = recusa(&format!("exec '{python}' '{}'", caminho.display()), porta_livre(), &[]);
    tem(&erro, &["terminou antes de abrir: SyntaxError: ", "em meu.py, linha 2: 'if socket = 1:'"]);
}

// O que gasta, e com que pressa.

#[test]
#[cfg(target_os = "linux")]
fn a_thread_em_laco_de_cada_cliente_perdido_e_dita_sem_custar_pontos() {
    let porta = porta_livre();
    let Some(comando) = abre("laco_por_perdido.py", porta) else { return };
    // Em uma máquina cheia o laço pode não ter núcleo que gastar, e então o avaliador cala-se, com razão.
    let ditas = ["sem ninguém conectado, o servidor gastou ", "% de um núcleo"];
    let disse = |_: &u32| {
        let saida = laudo(&comando, porta, &[]).1;
        ditas.iter().all(|dita| saida.contains(dita))
    };
    assert!((0..3).any(|vez| disse(&vez)), "em três vezes não se disse o que gastou");
    let comando = abre("basico.py", porta).unwrap();
    assert!(!laudo(&comando, porta, &[]).1.contains("sem ninguém conectado"));
}

#[test]
fn em_metade_das_disputas_e_so_nelas_o_python_troca_de_thread_a_cada_microssegundo() {
    let Some(python) = python() else { return };
    let pasta = tempfile::tempdir().unwrap();
    let [intervalos, outro] = ["intervalos", "sitecustomize.py"].map(|n| pasta.path().join(n));
    // O sitecustomize que já havia continua valendo, e o servidor o vê.
    std::fs::write(&outro, "import os\nos.environ['JA_HAVIA'] = 'sim'\n").unwrap();
    let inicio = format!(
        "import os, sys, runpy; \
         open('{}', 'a').write(f\"{{sys.getswitchinterval()}} {{os.environ.get('JA_HAVIA')}}\\n\"); \
         runpy.run_path('{}')",
        intervalos.display(),
        script("basico.py").display()
    );
    let porta = porta_livre();
    let pythonpath = pasta.path().display();
    let inicio = inicio.replace('"', "\\\"");
    let comando = format!("exec '{python}' -c \"{inicio}\" {porta}");
    let mut avaliador = testes::comando(
        "cliente",
        ["avaliar", "--iniciar", &comando, "--porta", &porta.to_string(), "--rodadas", "4"],
    );
    avaliador.env("PYTHONPATH", pythonpath.to_string());
    let fim = Processo::iniciar(avaliador).termino_em(PRAZO_DA_AVALIACAO);
    tem(&fim.saida, &["troca de threads a cada 1 µs"]);
    let lidos = std::fs::read_to_string(&intervalos).unwrap();
    assert!(lidos.lines().all(|linha| linha.ends_with(" sim")), "{lidos}");
    assert_eq!(lidos.lines().filter(|linha| linha.starts_with("1e-06")).count(), 2, "{lidos}");
    assert!(lidos.lines().filter(|linha| linha.starts_with("0.005")).count() >= 5, "{lidos}");
}

#[test]
fn as_trocas_apressadas_nao_deixam_pasta_para_tras_nem_com_um_sigkill() {
    let porta = porta_livre();
    let Some(comando) = abre("basico.py", porta) else { return };
    let temporaria = tempfile::tempdir().unwrap();
    let pastas = || std::fs::read_dir(temporaria.path()).unwrap().count();
    let porta_dita = porta.to_string();
    let opcoes = ["avaliar", "--iniciar", &comando, "--porta", &porta_dita, "--rodadas", "1000"];
    let mut avaliador = testes::comando("cliente", opcoes);
    avaliador.env("TMPDIR", temporaria.path());
    let mut avaliador = Processo::iniciar(avaliador);
    ate("a disputa", || (pastas() > 0).then_some(()));
    avaliador.sinal(Signal::KILL);
    avaliador.termino();
    ate("a pasta sumir", || (pastas() == 0).then_some(()));
    ninguem_atende(porta);
}

// A linha de comando.

#[test]
fn o_arquivo_sozinho_ensina_a_opcao_que_o_abre() {
    for (solto, dica) in [
        ("servidor.py", "--iniciar 'python3 servidor.py'"),
        ("Servidor.java", "--iniciar 'java Servidor.java'"),
        ("./servidor.js", "--iniciar 'node ./servidor.js'"),
        ("localhost:80", "--servidor localhost:80"),
    ] {
        let fim = testes::executar("cliente", ["avaliar", solto]);
        assert_eq!(fim.codigo, Some(2));
        tem(&fim.erro, &[dica]);
        assert_eq!(palavras_em_ingles(&fim.erro), [""; 0], "{}", fim.erro);
    }
}

#[test]
fn o_nome_de_quem_entregou_esta_no_terminal_na_pagina_e_no_json() {
    let servidor = Servidor::abrir(&[]);
    let pasta = tempfile::tempdir().unwrap();
    let [pagina, json] = ["laudo.html", "laudo.json"].map(|nome| pasta.path().join(nome));
    let texto = |caminho: &Path| std::fs::read_to_string(caminho).unwrap();
    let endereco = servidor.endereco().to_string();
    let mut avaliador = comando("cliente", ["avaliar", "--servidor", &endereco]);
    avaliador.args(["--nome", "Ana & Bia", "--compradores", "12"]);
    avaliador.arg("--relatorio").arg(&pagina).arg("--json").arg(&json);
    let fim = Processo::iniciar(avaliador).termino_em(PRAZO_DA_AVALIACAO);
    tem(&fim.saida, &["Ana & Bia: Avaliação de "]);
    tem(&texto(&pagina), &["<strong>Ana &#38; Bia</strong>"]);
    assert_eq!(serde_json::from_str::<Value>(&texto(&json)).unwrap()["nome"], "Ana & Bia");
}

/// O zelador não é para pessoas: a ajuda não o mostra.
#[test]
fn o_zelador_nao_esta_na_ajuda() {
    let ajuda = Command::new(binario("cliente")).arg("--ajuda").output().unwrap();
    assert!(!String::from_utf8_lossy(&ajuda.stdout).contains("zelar"));
}
