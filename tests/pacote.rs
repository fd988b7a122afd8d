//! O que se instala: o pacote do Debian em uma pasta limpa, o manual, o que completa no shell, a unidade do
//! systemd e o que se diz a ele. O que falta na máquina pula o teste, e diz o quê.
//!
//! Ninguém aqui instala nada de verdade, nem fala com o systemd da máquina.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use testes::{Processo, Servidor, comando};

fn raiz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().into()
}

/// A saída do programa; `None` se ele não existe nesta máquina, e então o teste diz que foi pulado.
fn tentar(comando: &mut Command) -> Option<Output> {
    let saida = comando.output();
    if saida.is_err() {
        println!("pulado: falta {}", comando.get_program().display());
    }
    saida.ok()
}

/// O que o programa disse, tendo dado certo.
fn texto(saida: &Output) -> String {
    let dito = [&saida.stdout[..], &saida.stderr[..]].concat();
    let dito = String::from_utf8(dito).unwrap();
    assert!(saida.status.success(), "{dito}");
    dito
}

fn rodar(comando: &mut Command) -> String {
    texto(&comando.output().unwrap())
}

fn manual(pasta: &Path) {
    let mut exemplo = Command::new(env!("CARGO"));
    exemplo.args(["run", "-q", "-p", "testes", "--example", "manual", "--"]).arg(pasta);
    rodar(exemplo.current_dir(raiz()));
}

#[test]
fn o_pacote_instala_os_dois_programas_o_manual_e_o_servico() {
    let cargo_deb = Command::new(env!("CARGO")).args(["deb", "--version"]).output();
    if !cargo_deb.is_ok_and(|saida| saida.status.success()) {
        return println!("pulado: falta o cargo-deb (cargo install cargo-deb)");
    }
    let pasta = tempfile::tempdir().unwrap();
    let (pacote, instalado) = (pasta.path().join("venda.deb"), pasta.path().join("raiz"));
    manual(&raiz().join("target/manual"));
    let mut deb = Command::new(env!("CARGO"));
    // Com os programas que os testes já compilaram: o que se confere é o que vai no pacote.
    deb.args(["deb", "-p", "servidor", "--profile", "dev", "--no-build", "--no-strip", "--output"]);
    rodar(deb.arg(&pacote).current_dir(raiz()));
    let Some(aberto) = tentar(Command::new("dpkg-deb").arg("-x").args([&pacote, &instalado]))
    else {
        return;
    };
    texto(&aberto);
    for programa in ["servidor", "cliente"] {
        let versao = rodar(Command::new(instalado.join("usr/bin").join(programa)).arg("--versao"));
        assert!(versao.starts_with(&format!("{programa} 0.")), "{versao}");
    }
    for arquivo in [
        "usr/share/man/man1/servidor.1.gz",
        "usr/share/man/man1/servidor-extrato.1.gz",
        "usr/share/man/man1/cliente.1.gz",
        "usr/share/man/man1/cliente-avaliar.1.gz",
        "usr/share/bash-completion/completions/servidor",
        "usr/share/zsh/vendor-completions/_cliente",
        "usr/share/fish/vendor_completions.d/cliente.fish",
        "usr/lib/systemd/system/servidor.service",
        "etc/logrotate.d/servidor",
    ] {
        assert!(instalado.join(arquivo).is_file(), "falta {arquivo}");
    }
    let painel = |onde: PathBuf| fs::read(onde).unwrap();
    assert_eq!(
        painel(instalado.join("usr/share/servidor-de-vendas/grafana.json")),
        painel(raiz().join("servidor/pacote/grafana.json"))
    );
}

#[test]
fn o_manual_e_o_que_completa_dizem_todas_as_opcoes_em_portugues() {
    let pasta = tempfile::tempdir().unwrap();
    manual(pasta.path());
    for (programa, comandos) in
        [("servidor", &["extrato"][..]), ("cliente", &["avaliar", "comparar"])]
    {
        let pagina = fs::read_to_string(pasta.path().join(format!("man1/{programa}.1"))).unwrap();
        assert!(pagina.contains(".SH OPÇÕES") && pagina.contains(".SH NOME"), "{pagina}");
        let bash = fs::read_to_string(pasta.path().join(format!("bash/{programa}"))).unwrap();
        let ajuda = rodar(comando(programa, ["--ajuda"]).env_clear());
        // As linhas das opções, e não as dos exemplos.
        for linha in ajuda.lines().filter(|linha| linha.trim_start().starts_with("--")) {
            let opcao = linha.split_whitespace().next().unwrap();
            assert!(pagina.contains(&opcao.replace('-', "\\-")), "{opcao} não está no manual");
            assert!(bash.contains(opcao), "{opcao} não se completa no bash");
        }
        for comando in comandos {
            let pagina = pasta.path().join(format!("man1/{programa}-{comando}.1"));
            assert!(fs::read_to_string(pagina).unwrap().contains(".SH SINOPSE"));
        }
        let Some(saida) =
            tentar(Command::new("bash").arg("-n").arg(pasta.path().join("bash").join(programa)))
        else {
            continue;
        };
        texto(&saida);
    }
}

#[test]
fn a_unidade_do_systemd_esta_certa_e_bem_fechada() {
    let pasta = tempfile::tempdir().unwrap();
    let certa = fs::read_to_string(raiz().join("servidor/pacote/servidor.service")).unwrap();
    // O programa não está instalado nesta máquina, nem o manual dele.
    let aqui = comando("servidor", [""; 0]).get_program().to_str().unwrap().to_owned();
    let unidade = pasta.path().join("servidor.service");
    let de_teste = certa.replace("/usr/bin/servidor", &aqui).replace("Documentation=", "#");
    fs::write(&unidade, de_teste).unwrap();
    let Some(conferida) = tentar(Command::new("systemd-analyze").arg("verify").arg(&unidade))
    else {
        return;
    };
    let reclamacao = texto(&conferida);
    assert!(!reclamacao.contains("servidor.service"), "{reclamacao}");
    // De 0, fechada, a 10, aberta; sem `--threshold`, só mostra.
    let mut seguranca = Command::new("systemd-analyze");
    seguranca.args(["security", "--offline=true", "--threshold=20"]).arg(&unidade);
    rodar(&mut seguranca);
}

/// O servidor continua no arquivo de nome trocado até o SIGHUP; `operador.rs` confere que ele o ouve.
#[test]
fn o_logrotate_entende_o_que_se_lhe_pede() {
    let pasta = tempfile::tempdir().unwrap();
    let (estado, regras) = (pasta.path().join("estado"), pasta.path().join("servidor.logrotate"));
    // Ele não lê regras que outro usuário possa mudar.
    fs::copy(raiz().join("servidor/pacote/servidor.logrotate"), &regras).unwrap();
    fs::set_permissions(&regras, fs::Permissions::from_mode(0o644)).unwrap();
    let mut logrotate = Command::new("logrotate");
    let Some(saida) = tentar(logrotate.args(["--debug", "--state"]).args([&estado, &regras]))
    else {
        return;
    };
    let dito = texto(&saida);
    assert!(dito.contains("/var/log/servidor/vendas.log") && !dito.contains("error:"), "{dito}");
}

#[test]
fn ao_systemd_se_diz_que_esta_pronto_depois_de_a_porta_abrir() {
    let pasta = tempfile::tempdir().unwrap();
    let caminho = pasta.path().join("notify");
    let systemd = UnixDatagram::bind(&caminho).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut comando = comando("servidor", ["--endereco", "127.0.0.1", "--porta", "0"]);
    comando.env("NOTIFY_SOCKET", &caminho);
    let livro = pasta.path().join("vendas.db");
    comando.arg("--livro").arg(&livro);
    let servidor = Processo::iniciar(comando);
    let mut dito = [0; 64];
    let lidos = systemd.recv(&mut dito).unwrap();
    assert_eq!(&dito[..lidos], b"READY=1\n");
    // E então o livro já existe.
    assert!(livro.is_file());
    drop(servidor);
}

#[test]
fn quem_nao_ouve_nao_impede_de_vender() {
    let mut comando = comando("servidor", [""; 0]);
    comando.env("NOTIFY_SOCKET", "/nao/existe");
    let servidor = Servidor::de(comando);
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 10");
}
