//! Escreve as páginas de manual dos dois programas e o que os completa no bash, no zsh e no fish, a partir das
//! opções deles: o manual nunca diz outra coisa do que `--ajuda`.
//!
//!     cargo run -p testes --example manual -- target/manual
//!
//! Quem os instala é o pacote (servidor/Cargo.toml).

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use protocolo::terminal::comando;

/// O clap_mangen só sabe os títulos em inglês.
const TITULOS: [(&str, &str); 7] = [
    (".SH NAME", ".SH NOME"),
    (".SH SYNOPSIS", ".SH SINOPSE"),
    (".SH DESCRIPTION", ".SH DESCRIÇÃO"),
    (".SH OPTIONS", ".SH OPÇÕES"),
    (".SH SUBCOMMANDS", ".SH COMANDOS"),
    (".SH VERSION", ".SH VERSÃO"),
    (".SH EXTRA", ".SH \"CÓDIGOS DE SAÍDA\""),
];

fn main() -> io::Result<()> {
    let pasta = PathBuf::from(env::args_os().nth(1).unwrap_or_else(|| "target/manual".into()));
    for programa in
        [comando::<servidor::opcoes::Programa>(), comando::<cliente::opcoes::Programa>()]
    {
        manual(&programa, &pasta.join("man1"))?;
        completar(&programa, &pasta)?;
    }
    Ok(())
}

/// Uma página para o programa, e uma para cada comando dele, como em `git-commit(1)`.
fn manual(programa: &Command, pasta: &Path) -> io::Result<()> {
    fs::create_dir_all(pasta)?;
    let nome = programa.get_name().to_owned();
    let mut programa = programa.clone();
    programa.build();
    let visiveis = programa.get_subcommands().filter(|comando| !comando.is_hide_set());
    let paginas = visiveis.map(|comando| (format!("{nome}-{}", comando.get_name()), comando));
    for (nome, comando) in paginas.chain([(nome.clone(), &programa)]) {
        let mut pagina = Vec::new();
        Man::new(comando.clone())
            .title(&nome)
            .manual("Venda com estoque compartilhado")
            .render(&mut pagina)?;
        let mut texto = String::from_utf8_lossy(&pagina).into_owned();
        for (ingles, portugues) in TITULOS {
            texto = texto.replace(ingles, portugues);
        }
        fs::write(pasta.join(format!("{nome}.1")), texto)?;
    }
    Ok(())
}

fn completar(programa: &Command, pasta: &Path) -> io::Result<()> {
    let nome = programa.get_name();
    for (shell, destino) in [
        (Shell::Bash, format!("bash/{nome}")),
        (Shell::Zsh, format!("zsh/_{nome}")),
        (Shell::Fish, format!("fish/{nome}.fish")),
    ] {
        let destino = pasta.join(destino);
        destino.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut arquivo = fs::File::create(destino)?;
        clap_complete::generate(shell, &mut programa.clone(), nome, &mut arquivo);
    }
    Ok(())
}
