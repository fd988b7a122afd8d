//! A multidão inteira, de ponta a ponta: o `cliente` de verdade contra o nosso servidor, contra o
//! clássico do enunciado e contra servidores que fazem o que não deviam.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aberto;
mod jeitos;
mod pedidos;
mod servidores;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::ioctl_fionread;
use rustix::process::geteuid;
use testes::{
    Processo, Servidor, Signal, Termino, abrir_aluno, argumentos, ate, atender_sempre, binario,
    comando, conta, em_um_terminal, multidao, palavras_em_ingles, por_meio_de, porta_fechada,
    quem_vende_sempre_a_mesma, servidor_que, veredito, veredito_do_aviso,
};

fn avisos_impressos(termino: &Termino) -> usize {
    termino.saida.matches(": AVISO: O estoque acabou de esgotar!\n").count()
}

/// Toda a atividade, com estoque para que ele só acabe no meio, quando todos já estão conectados.
fn a_atividade_inteira(usuarios: u64) {
    let estoque = usuarios * 5;
    let mut servidor = Servidor::abrir(&["--estoque", &estoque.to_string()]);
    let fim = multidao(servidor.endereco(), &format!("--usuarios {usuarios}"));
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    let certo = format!("certo ({usuarios} conexões o ouviram)");
    assert_eq!(veredito_do_aviso(&fim), certo);
    assert!(!fim.saida.contains("Observação"), "{}", fim.saida);

    let (ciclos, vendas) = (conta(&fim, "ciclos"), conta(&fim, "vendas"));
    assert!((10 * usuarios..=20 * usuarios).contains(&ciclos), "{ciclos} ciclos");
    assert_eq!((vendas, conta(&fim, "consultas")), (estoque, ciclos));
    assert_eq!((conta(&fim, "recusas"), conta(&fim, "falhas")), (ciclos - estoque, 0));
    assert_eq!(conta(&fim, "AVISOs"), usuarios, "um para cada um");
    assert_eq!(avisos_impressos(&fim), 5, "os outros só se contam");
    assert!(fim.saida.contains(&format!("  e mais {} AVISOs até", usuarios - 5)), "{}", fim.saida);
    assert!(fim.saida.contains(&format!("(pico de {usuarios} ao mesmo tempo)")), "{}", fim.saida);

    // Os dois lados contam a mesma história.
    let contas = servidor.encerrar();
    // Mais uma: a visita, que só escuta, para ver se o AVISO também chega a quem vem depois.
    assert_eq!(contas.conta("conexões atendidas"), usuarios + 1);
    assert_eq!(contas.conta("pico de conexões simultâneas"), usuarios);
    assert_eq!(contas.conta("comandos"), 2 * ciclos);
    assert_eq!(contas.conta("vendas"), vendas);
    assert_eq!(contas.conta("recusas (esgotado)"), ciclos - estoque);
    assert_eq!(contas.conta("estoque restante"), 0);
}

#[test]
fn a_atividade_inteira_com_50_usuarios() {
    a_atividade_inteira(50);
}

#[test]
fn a_atividade_inteira_com_200_usuarios() {
    a_atividade_inteira(200);
}

#[test]
fn dez_unidades_e_nenhuma_a_mais() {
    let servidor = Servidor::abrir(&[]);
    let fim = multidao(servidor.endereco(), "--usuarios 50 --ciclos 2 --decisao 1s");
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!((conta(&fim, "vendas"), conta(&fim, "recusas")), (10, 90));
}

#[test]
fn cada_fim_de_linha_serve() {
    for fim_de_linha in ["lf", "crlf", "nenhum"] {
        let mut servidor = Servidor::abrir(&[]);
        let opcoes = format!("--usuarios 5 --ciclos 2 --fim-de-linha {fim_de_linha}");
        let fim = multidao(servidor.endereco(), &opcoes);
        assert_eq!((fim.codigo, conta(&fim, "falhas")), (Some(0), 0), "{fim_de_linha}: {fim:?}");
        // Nem um comando a mais: o fim de linha que sobra não vira nada.
        assert_eq!(servidor.encerrar().conta("comandos"), 20, "{fim_de_linha}");
    }
}

#[test]
fn com_reconectar_cada_ciclo_tem_a_sua_conexao() {
    let mut servidor = Servidor::abrir(&[]);
    let fim = multidao(servidor.endereco(), "--usuarios 5 --ciclos 3 --reconectar");
    assert_eq!((fim.codigo, conta(&fim, "ciclos")), (Some(0), 15), "{fim:?}");
    assert_eq!(servidor.encerrar().conta("conexões atendidas"), 15 + 1, "e a visita");
}

#[test]
fn menos_threads_que_usuarios_e_dito_e_ninguem_fica_de_fora() {
    let servidor = Servidor::abrir(&[]);
    let fim = multidao(servidor.endereco(), "--usuarios 12 --threads 3 --ciclos 1");
    assert!(fim.erro.contains("12 usuários em 3 threads"), "{}", fim.erro);
    assert!(fim.erro.contains("no máximo 3 ao mesmo tempo"), "{}", fim.erro);
    assert_eq!((fim.codigo, conta(&fim, "ciclos")), (Some(0), 12), "{fim:?}");
    assert!(fim.saida.contains("(pico de 3 ao mesmo tempo)"), "{}", fim.saida);
}

/// Este comando, depois de um `ulimit`; o que se aperta assim não volta.
fn com_ulimit(limite: &str, comando: &Command) -> Command {
    por_meio_de(&["sh", "-c", &format!(r#"ulimit {limite} && exec "$0" "$@""#)], comando)
}

#[test]
fn sem_descritores_para_todos_vivem_todos_menos_ao_mesmo_tempo() {
    let servidor = Servidor::abrir(&["--silencioso"]);
    let opcoes = argumentos(servidor.endereco(), "--usuarios 60 --ciclos 1 --escuta 1s");
    let fim = Processo::iniciar(com_ulimit("-n 40", &comando("cliente", opcoes))).termino();
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!((conta(&fim, "ciclos"), conta(&fim, "falhas")), (60, 0), "{fim:?}");
    assert!(fim.erro.contains("de 60 threads (aumente") && fim.erro.contains("'ulimit -n'"));
    assert_eq!((fim.erro.lines().count(), palavras_em_ingles(&fim.erro)), (2, vec![]), "{fim:?}");
}

#[test]
fn sem_memoria_para_todos_vivem_todos_menos_ao_mesmo_tempo() {
    let servidor = Servidor::abrir(&["--silencioso"]);
    let opcoes = argumentos(servidor.endereco(), "--usuarios 2000 --ciclos 1 --escuta 1s");
    let fim = Processo::iniciar(com_ulimit("-v 300000", &comando("cliente", opcoes))).termino();
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!((conta(&fim, "ciclos"), conta(&fim, "falhas")), (2000, 0), "{fim:?}");
    assert!(fim.erro.contains("de 2000 threads (aumente") && fim.erro.contains("'ulimit -v'"));
    assert_eq!((fim.erro.lines().count(), palavras_em_ingles(&fim.erro)), (2, vec![]), "{fim:?}");
}

#[test]
fn sem_memoria_para_ninguem_diz_por_que_e_sai_com_1() {
    let servidor = Servidor::abrir(&["--silencioso"]);
    let opcoes = argumentos(servidor.endereco(), "--usuarios 2000");
    let fim = Processo::iniciar(com_ulimit("-v 40000", &comando("cliente", opcoes))).termino();
    assert_eq!((fim.codigo, fim.saida.as_str()), (Some(1), ""), "{fim:?}");
    assert!(fim.erro.contains("'ulimit -v'") && fim.erro.lines().count() == 1, "{}", fim.erro);
}

#[test]
fn sem_descritores_para_ninguem_diz_por_que_e_sai_com_1() {
    let servidor = Servidor::abrir(&["--silencioso"]);
    let opcoes = argumentos(servidor.endereco(), "--usuarios 60");
    let fim = Processo::iniciar(com_ulimit("-n 10", &comando("cliente", opcoes))).termino();
    assert_eq!((fim.codigo, fim.saida.as_str()), (Some(1), ""), "{fim:?}");
    assert!(fim.erro.starts_with("cliente: não cabe nem um usuário: "), "{}", fim.erro);
    assert!(fim.erro.contains("'ulimit -n'") && fim.erro.lines().count() == 1, "{}", fim.erro);
}

/// O cliente, como um usuário do sistema que ninguém mais é e que só pode ter tantas threads: o limite é
/// por usuário, e o root não o tem.
fn com_threads(quantas: u32, pasta: &Path, opcoes: &[String]) -> Option<Command> {
    let usuario = 1_000_000 + std::process::id() * 8 + quantas % 8;
    let (uid, gid) = (format!("--reuid={usuario}"), format!("--regid={usuario}"));
    let ninguem = ["setpriv", &uid, &gid, "--clear-groups", "--"];
    let pode = por_meio_de(&ninguem, &Command::new("true")).status();
    if !geteuid().is_root() || !pode.is_ok_and(|estado| estado.success()) {
        println!("pulado: só o root, com o setpriv, pode ser um usuário sem outros processos");
        return None;
    }
    // Uma cópia: o de verdade pode estar onde só o root entra.
    let copia = pasta.join("cliente");
    let copiou = Command::new("cp").arg(binario("cliente")).arg(&copia).status();
    assert!(copiou.is_ok_and(|estado| estado.success()));
    fs::set_permissions(pasta, Permissions::from_mode(0o755)).unwrap();
    let mut copiado = Command::new(copia);
    copiado.args(opcoes);
    let limitado = por_meio_de(&["prlimit", &format!("--nproc={quantas}")], &copiado);
    Some(por_meio_de(&ninguem, &limitado))
}

#[test]
fn sem_threads_para_todos_vivem_todos_menos_ao_mesmo_tempo() {
    let pasta = tempfile::tempdir().unwrap();
    let servidor = Servidor::abrir(&["--silencioso"]);
    let opcoes = argumentos(servidor.endereco(), "--usuarios 60 --ciclos 1 --escuta 1s");
    let Some(limitado) = com_threads(20, pasta.path(), &opcoes) else { return };
    // Com o servidor parado, ninguém termina, e nenhuma thread fica livre enquanto se pedem as outras.
    let mut cliente = servidor.congelado(|| {
        let cliente = Processo::iniciar(limitado);
        cliente.erro.ate("o que faltou", |texto| texto.lines().count() == 2);
        cliente
    });
    let fim = cliente.termino();
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!((conta(&fim, "ciclos"), conta(&fim, "falhas")), (60, 0), "{fim:?}");
    // Das vinte, a principal e a que ouve o Ctrl-C não são de usuários.
    assert!(fim.erro.contains("o sistema só deu 18 de 60 threads (aumente"), "{}", fim.erro);
    assert!(fim.erro.contains("'ulimit -u'") && fim.erro.contains("no máximo 18"), "{}", fim.erro);
    assert!(fim.saida.contains("(pico de 18 ao mesmo tempo)"), "{}", fim.saida);
    assert_eq!(palavras_em_ingles(&fim.erro), [""; 0]);
}

#[test]
fn sem_nenhuma_thread_diz_por_que_e_sai_com_1() {
    let pasta = tempfile::tempdir().unwrap();
    let servidor = Servidor::abrir(&["--silencioso"]);
    let opcoes = argumentos(servidor.endereco(), "--usuarios 60");
    // Com uma, não há nem quem ouça o Ctrl-C; com duas, só falta quem viva.
    for threads in [1, 2] {
        let Some(limitado) = com_threads(threads, pasta.path(), &opcoes) else { return };
        let fim = Processo::iniciar(limitado).termino();
        assert_eq!((fim.codigo, fim.saida.as_str()), (Some(1), ""), "{fim:?}");
        assert!(fim.erro.starts_with("cliente: o sistema não deu nenhuma thread: "), "{fim:?}");
        assert!(fim.erro.contains("'ulimit -u'") && fim.erro.lines().count() == 1, "{fim:?}");
    }
}

#[test]
fn a_semente_dada_ou_sorteada_e_sempre_dita_e_repete_os_ciclos() {
    let servidor = Servidor::abrir(&[]);
    let sorteada = multidao(servidor.endereco(), "--usuarios 10 --ciclos 1..9 --escuta 1s");
    let semente = conta(&sorteada, "semente");
    assert!(sorteada.erro.contains(&format!("(semente {semente})")), "{}", sorteada.erro);
    let opcoes = format!("--usuarios 10 --ciclos 1..9 --escuta 1s --semente {semente}");
    let repetida = multidao(servidor.endereco(), &opcoes);
    assert_eq!(conta(&repetida, "semente"), semente);
    assert_eq!(conta(&repetida, "ciclos"), conta(&sorteada, "ciclos"));
}

#[test]
fn detalhado_mostra_cada_troca() {
    let servidor = Servidor::abrir(&["--estoque", "1"]);
    let fim = multidao(servidor.endereco(), "--usuarios 1 --ciclos 2 --detalhado");
    for troca in [
        "usuário 1: CONSULTAR -> Estoque atual: 1 (",
        "usuário 1: COMPRAR -> Compra realizada. Estoque restante: 0 (",
        "usuário 1: CONSULTAR -> Estoque atual: 0 (",
        "usuário 1: COMPRAR -> ERRO: Produto esgotado (",
    ] {
        assert_eq!(fim.saida.matches(troca).count(), 1, "{troca}: {}", fim.saida);
    }
}

#[test]
fn espera_um_servidor_que_ainda_esta_abrindo() {
    let (socket, endereco) = porta_fechada();
    let opcoes = argumentos(endereco, "--usuarios 3 --ciclos 1 --espera 60s");
    let mut cliente = Processo::iniciar(comando("cliente", opcoes));
    cliente.erro.ate("dizer que espera", |texto| texto.contains("esperando até 1m..."));
    socket.listen(16).unwrap();
    atender_sempre(socket.into(), |comando| match comando {
        "CONSULTAR" => "Estoque atual: 0\n".into(),
        _ => "ERRO: Produto esgotado\n".into(),
    });
    let fim = cliente.termino();
    assert_eq!((fim.codigo, conta(&fim, "ciclos")), (Some(0), 3), "{fim:?}");
    assert_eq!(fim.erro.matches("esperando").count(), 1, "{}", fim.erro);
}

#[test]
fn sem_servidor_diz_por_que_e_sai_com_1() {
    let (_socket, endereco) = porta_fechada();
    let fim = multidao(endereco, "--usuarios 3 --espera 0s");
    assert_eq!((fim.codigo, fim.saida.as_str()), (Some(1), ""), "{fim:?}");
    let ultima = fim.erro.lines().last().unwrap();
    assert!(ultima.contains("conexão recusada") && ultima.contains("cargo run -p servidor"));
    assert_eq!(palavras_em_ingles(&fim.erro.replace("cargo run", "")), [""; 0]);
}

#[test]
fn entende_quem_nao_manda_fim_de_linha_e_quem_cola_as_mensagens() {
    let mut estoque = 3;
    let endereco = servidor_que(move |comando| match (comando, estoque) {
        ("CONSULTAR", _) => format!("Estoque atual: {estoque}"),
        (_, 0) => "ERRO: Produto esgotado".into(),
        (_, 1) => {
            estoque = 0;
            "Compra realizada. Estoque restante: 0AVISO: O estoque acabou de esgotar!".into()
        }
        _ => {
            estoque -= 1;
            format!("Compra realizada. Estoque restante: {estoque}")
        }
    });
    let fim = multidao(endereco, "--usuarios 1 --ciclos 5 --fim-de-linha nenhum");
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    let contas = ["consultas", "vendas", "recusas", "AVISOs", "falhas"].map(|n| conta(&fim, n));
    assert_eq!(contas, [5, 3, 2, 1, 0], "{}", fim.saida);
}

#[test]
fn entende_quem_so_as_vezes_manda_fim_de_linha() {
    let mut estoque = 1;
    let endereco = servidor_que(move |comando| match (comando, estoque) {
        ("CONSULTAR", _) => format!("Estoque atual: {estoque}"),
        (_, 0) => "ERRO: Produto esgotado".into(),
        _ => {
            estoque = 0;
            "Compra realizada. Estoque restante: 0\nAVISO: O estoque acabou de esgotar!\n".into()
        }
    });
    let fim = multidao(endereco, "--usuarios 1 --ciclos 2");
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!(["recusas", "AVISOs", "falhas"].map(|n| conta(&fim, n)), [1, 1, 0], "{}", fim.saida);
}

#[test]
fn acusa_quem_vende_a_mesma_unidade_duas_vezes() {
    let fim = multidao(quem_vende_sempre_a_mesma(), "--usuarios 2 --ciclos 1");
    assert_eq!(fim.codigo, Some(3), "{fim:?}");
    let veredito = veredito(&fim);
    assert!(veredito.starts_with("Veredito: INCONSISTENTE: a mesma unidade vendida duas vezes"));
    assert!(veredito.contains("usuário 1 ") && veredito.contains("usuário 2 "), "{veredito}");
}

#[test]
fn um_servidor_que_responde_bobagem_e_falha_e_nao_derruba() {
    let endereco = servidor_que(|_| "\u{1b}[2Jolá!\n".into());
    let fim = multidao(endereco, "--usuarios 2 --ciclos 1 --detalhado");
    // Sem uma só resposta do protocolo, não há o que julgar.
    assert_eq!((fim.codigo, conta(&fim, "falhas")), (Some(1), 4), "{fim:?}");
    assert!(fim.saida.contains("4 × resposta fora do protocolo"), "{}", fim.saida);
    assert!(!fim.saida.contains("Veredito"), "{}", fim.saida);
    assert!(fim.erro.contains("não há o que julgar"), "{}", fim.erro);
    assert!(fim.erro.contains(r"a primeira foi '\u{1b}[2Jolá!'"), "{}", fim.erro);
    assert!(!fim.saida.contains('\u{1b}'), "o servidor não comanda o terminal de quem o testa");
}

#[test]
fn um_servidor_que_fala_sem_parar_nao_prende_o_usuario() {
    let porta = TcpListener::bind("127.0.0.1:0").unwrap();
    let endereco = porta.local_addr().unwrap();
    thread::spawn(move || {
        for mut conexao in porta.incoming().flatten() {
            thread::spawn(move || while conexao.write_all(&b"oi\n".repeat(1000)).is_ok() {});
        }
    });
    let fim = multidao(endereco, "--usuarios 1 --ciclos 2");
    assert_eq!(fim.codigo, Some(1), "{fim:?}");
    assert_eq!(conta(&fim, "ciclos"), 2);
}

#[test]
fn a_casa_cheia_e_uma_falha_contada_e_o_veredito_continua_valendo() {
    let servidor = Servidor::abrir(&["--max-conexoes", "5"]);
    let fim = multidao(servidor.endereco(), "--usuarios 20 --ciclos 2");
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert!(fim.saida.contains("× servidor lotado"), "{}", fim.saida);
}

#[test]
fn o_servidor_que_morre_no_meio_e_uma_falha_contada() {
    let servidor = Servidor::abrir(&[]);
    let opcoes = argumentos(servidor.endereco(), "--usuarios 10 --escuta 10s --espera 0s");
    let mut cliente = Processo::iniciar(comando("cliente", opcoes));
    servidor.registro().ate("as primeiras compras", |texto| texto.matches("COMPRAR").count() > 20);
    servidor.sinal(Signal::KILL);
    let fim = cliente.termino();
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert!(fim.saida.contains("× não conectou: conexão recusada"), "{}", fim.saida);
}

#[test]
fn ctrl_c_da_o_resumo_parcial_e_sai_com_130() {
    for sinal in [Signal::INT, Signal::TERM] {
        let servidor = Servidor::abrir(&[]);
        // Sem acelerar: quem decide ou escuta por segundos acorda na hora.
        let endereco = servidor.endereco().to_string();
        let opcoes = ["--servidor", &endereco, "--usuarios", "20", "--detalhado"];
        let mut cliente = Processo::iniciar(comando("cliente", opcoes));
        // Quem diz que se vendeu é o cliente: sem nenhuma venda ouvida não haveria veredito.
        cliente.saida.ate("uma venda", |texto| texto.contains("Compra realizada"));
        cliente.sinal(sinal);
        let fim = cliente.termino();
        assert_eq!((fim.codigo, veredito(&fim)), (Some(130), "Veredito: CONSISTENTE"), "{fim:?}");
        assert!(
            fim.saida.contains("Resumo parcial: a simulação foi interrompida"),
            "{}",
            fim.saida
        );
        assert_eq!(conta(&fim, "falhas"), 0, "fechar os sockets não é falha: {}", fim.saida);
    }
}

#[test]
fn ctrl_c_enquanto_espera_o_servidor_tambem_vale() {
    let (_socket, endereco) = porta_fechada();
    let opcoes = argumentos(endereco, "--usuarios 5 --espera 1h");
    let mut cliente = Processo::iniciar(comando("cliente", opcoes));
    cliente.erro.ate("dizer que espera", |texto| texto.contains("esperando"));
    cliente.sinal(Signal::INT);
    let fim = cliente.termino();
    assert_eq!((fim.codigo, fim.saida.as_str()), (Some(130), ""), "sem conexão não há veredito");
}

#[test]
fn ctrl_c_vale_mesmo_com_conexoes_que_nunca_se_completam() {
    // Uma fila de espera mínima, que ninguém esvazia: as últimas conexões ficam pela metade.
    let (socket, endereco) = porta_fechada();
    socket.listen(0).unwrap();
    let opcoes = argumentos(endereco, "--usuarios 20 --detalhado");
    let mut cliente = Processo::iniciar(comando("cliente", opcoes));
    // No /proc/net/tcp, o estado 02 é SYN-SENT: uma conexão pedida e não completada.
    let pela_metade = format!(":{:04X} 02 ", endereco.port());
    ate("uma conexão pela metade", || {
        let tcp = std::fs::read_to_string("/proc/net/tcp").unwrap();
        tcp.contains(&pela_metade).then_some(())
    });
    let pedido = Instant::now();
    cliente.sinal(Signal::INT);
    assert_eq!(cliente.termino().codigo, Some(130));
    // Não é uma medida: cada conexão, sozinha, ainda esperaria 10 s.
    assert!(pedido.elapsed() < Duration::from_secs(8), "esperou as conexões desistirem");
}

#[test]
fn o_segundo_ctrl_c_encerra_na_hora() {
    let servidor = Servidor::abrir(&["--silencioso"]);
    // Um console que ninguém lê: com o cano cheio, nem o resumo sai, e o primeiro sinal não basta.
    let (leitor, escritor) = std::io::pipe().unwrap();
    let opcoes = argumentos(
        servidor.endereco(),
        "--usuarios 50 --ciclos 1000 --decisao 0s --escuta 0s --detalhado",
    );
    let mut comando = comando("cliente", opcoes);
    comando.stdout(Stdio::from(escritor));
    let mut cliente = Processo::iniciar(comando);
    ate("o cano encher", || (ioctl_fionread(leitor.as_fd()).unwrap() > 60_000).then_some(()));
    let termino = cliente.insistir(Signal::INT);
    assert_eq!(termino.codigo, Some(130));
}

#[test]
fn uma_saida_fechada_nao_muda_o_veredito() {
    let opcoes = argumentos(quem_vende_sempre_a_mesma(), "--usuarios 2 --ciclos 1");
    let (leitor, escritor) = std::io::pipe().unwrap();
    drop(leitor);
    let mut comando = comando("cliente", opcoes);
    comando.stdout(Stdio::from(escritor));
    let fim = Processo::iniciar(comando).termino();
    assert_eq!(fim.codigo, Some(3), "{fim:?}");
    assert!(!fim.erro.contains("panicked"), "{}", fim.erro);
}

#[test]
fn dos_avisos_se_mostram_cinco_e_quantos_mais_e_com_detalhado_todos() {
    for (usuarios, opcoes, mostrados, mais) in
        [(5, "", 5, None), (6, "", 5, Some("e mais 1 AVISO ")), (6, "--detalhado", 6, None)]
    {
        let servidor = Servidor::abrir(&["--silencioso"]);
        // Todos chegam antes da primeira compra.
        let opcoes = format!("--usuarios {usuarios} --ciclos 3 --decisao 50s {opcoes}");
        let fim = multidao(servidor.endereco(), &opcoes);
        assert_eq!(conta(&fim, "AVISOs"), usuarios, "{fim:?}");
        assert_eq!(avisos_impressos(&fim), mostrados, "{fim:?}");
        let linha = fim.saida.lines().find(|linha| linha.contains("até aqui"));
        assert_eq!(linha.is_some(), mais.is_some(), "{fim:?}");
        assert!(linha.unwrap_or_default().contains(mais.unwrap_or_default()), "{fim:?}");
        assert!(linha.is_none_or(|linha| linha.contains("--detalhado")), "{fim:?}");
    }
}

#[test]
fn o_andamento_so_se_mexe_em_um_terminal() {
    let servidor = Servidor::abrir(&["--silencioso"]);
    let opcoes = argumentos(servidor.endereco(), "--usuarios 5 --ciclos 3");
    let mudo = Processo::iniciar(comando("cliente", &opcoes)).termino();
    assert_eq!(mudo.erro.lines().count(), 1, "{}", mudo.erro);
    assert!(!mudo.erro.contains(['\r', '\u{1b}']), "{:?}", mudo.erro);
    let vivo = em_um_terminal(comando("cliente", &opcoes));
    assert!(vivo.contains("15 ciclos") && vivo.contains("recusas"), "{vivo:?}");
    assert!(vivo.contains("15 ciclos, falta"), "diz quanto falta: {vivo:?}");
}
