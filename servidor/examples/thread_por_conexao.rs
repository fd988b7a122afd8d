//! O modelo do enunciado: uma thread por conexão e um estoque atrás de uma trava (§2, §3.1). Serve
//! para comparar com o laço de eventos e para o desafio prático (§8): com `--sem-trava`, olhar o
//! estoque e descontá-lo são dois passos, e entre eles cabe a venda de outra thread.
//!
//! Fala o mesmo protocolo, com as mesmas linhas, e diz o que não faz: não limita conexões nem
//! tempo, não registra nada, não termina em ordem, cai se faltarem threads ou descritores, e um cliente
//! que não lê prende, com a escrita do AVISO, a thread do comprador.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use clap::Parser;
use protocolo::mensagem::AVISO;
use protocolo::terminal::{dizer, duracao, explicar, inteiro, ler_opcoes};
use protocolo::{Comando, ESTOQUE_PADRAO, Linhas, PORTA_PADRAO, Resposta};

/// O servidor clássico: uma thread por conexão, com ou sem trava
#[derive(Debug, Parser)]
#[command(name = "thread_por_conexao", version, before_help = EXEMPLOS)]
struct Opcoes {
    /// Porta TCP; com 0, o sistema escolhe uma livre
    #[arg(long, value_name = "PORTA", default_value_t = PORTA_PADRAO, value_parser = inteiro(0..=u16::MAX))]
    porta: u16,

    /// Unidades à venda
    #[arg(long, value_name = "UNIDADES", default_value_t = ESTOQUE_PADRAO, value_parser = inteiro::<u64>(0..=i64::MAX as u64))]
    estoque: u64,

    /// Vende sem a trava: a condição de corrida do desafio prático
    #[arg(long)]
    sem_trava: bool,

    /// Pausa entre olhar o estoque e descontá-lo; alarga a janela da corrida
    #[arg(long, value_name = "DURAÇÃO", default_value = "0s", value_parser = duracao)]
    pausa: Duration,
}

const EXEMPLOS: &str = "  thread_por_conexao                          o modelo do enunciado
  thread_por_conexao --sem-trava --pausa 1ms  vende mais do que tem";

/// O que todas as threads compartilham.
struct Loja {
    /// Atômico para que, mesmo sem a trava, o programa seja Rust seguro: cada passo é indivisível;
    /// os dois juntos, não.
    estoque: AtomicI64,
    trava: Mutex<()>,
    usa_trava: bool,
    pausa: Duration,
    conexoes: Mutex<Vec<Arc<TcpStream>>>,
}

impl Loja {
    fn atender(&self, comando: &Comando) -> String {
        match comando {
            Comando::Consultar => format!("Estoque atual: {}", self.estoque.load(Ordering::SeqCst)),
            Comando::Comprar => self.vender(),
            Comando::Ajuda => Resposta::Ajuda.to_string(),
            Comando::Sair => Resposta::Despedida.to_string(),
            Comando::Http(_) | Comando::Tls => Resposta::OutroProtocolo.to_string(),
            Comando::LinhaLonga => Resposta::LinhaLonga.to_string(),
            // Este não se lembra de pedidos: para comparar, bastam os comandos do enunciado.
            Comando::Pedido(_) | Comando::PedidoInvalido(_) | Comando::Desconhecido(_) => {
                Resposta::Desconhecido.to_string()
            }
        }
    }

    fn vender(&self) -> String {
        let _secao_critica = self.usa_trava.then(|| trancar(&self.trava));
        if self.estoque.load(Ordering::SeqCst) <= 0 {
            return Resposta::Esgotado.to_string();
        }
        // Sem a trava, é aqui que outra thread também vê o estoque positivo.
        thread::sleep(self.pausa);
        let restante = self.estoque.fetch_sub(1, Ordering::SeqCst) - 1;
        // À mão, e não com `Resposta`, que não sabe dizer um número negativo: um servidor certo
        // nunca precisa.
        format!("Compra realizada. Estoque restante: {restante}")
    }

    fn avisar(&self) {
        for conexao in trancar(&self.conexoes).iter() {
            // Quem já se foi não ouve; a thread dele descobre sozinha.
            let _ = (&**conexao).write_all(format!("{AVISO}\n").as_bytes());
        }
    }

    /// A vida de uma conexão: a thread inteira é dela, e `read` pode bloquear à vontade.
    fn conversar(&self, conexao: &TcpStream) -> io::Result<()> {
        let mut conexao = conexao;
        let mut linhas = Linhas::default();
        let mut bytes = [0; 1024];
        loop {
            let lidos = conexao.read(&mut bytes)?;
            if lidos == 0 {
                return Ok(());
            }
            let mut pedidos: Vec<Comando> = Vec::new();
            let mut chegaram = &bytes[..lidos];
            while let Some(linha) = linhas.proxima(&mut chegaram) {
                pedidos.push(linha.into());
            }
            while let Some(linha) = linhas.secou() {
                pedidos.push(linha.into());
            }
            for comando in pedidos {
                let resposta = self.atender(&comando);
                conexao.write_all(format!("{resposta}\n").as_bytes())?;
                if resposta.ends_with("restante: 0") {
                    self.avisar();
                }
                if comando.e_o_ultimo() {
                    return Ok(());
                }
            }
        }
    }
}

fn trancar<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> ExitCode {
    let opcoes: Opcoes = match ler_opcoes(std::env::args_os()) {
        Ok(opcoes) => opcoes,
        Err(codigo) => return codigo,
    };
    match servir(&opcoes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(erro) => {
            let (porta, porque) = (opcoes.porta, explicar(&erro));
            dizer(format_args!("thread_por_conexao: porta {porta}: {porque}; veja --porta"));
            ExitCode::FAILURE
        }
    }
}

fn desistiu(erro: &io::Error) -> bool {
    let dele = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::NotConnected];
    dele.contains(&erro.kind())
}

fn servir(opcoes: &Opcoes) -> io::Result<()> {
    let escuta = TcpListener::bind((Ipv4Addr::UNSPECIFIED, opcoes.porta))?;
    let loja = Arc::new(Loja {
        estoque: AtomicI64::new(i64::try_from(opcoes.estoque).unwrap_or(i64::MAX)),
        trava: Mutex::new(()),
        usa_trava: !opcoes.sem_trava,
        pausa: opcoes.pausa,
        conexoes: Mutex::new(Vec::new()),
    });
    dizer(format_args!(
        "thread_por_conexao: ouvindo em {} (estoque: {}, {} trava)",
        escuta.local_addr()?,
        opcoes.estoque,
        if opcoes.sem_trava { "sem" } else { "com" },
    ));
    loop {
        let conexao = match escuta.accept() {
            Ok((conexao, _)) => Arc::new(conexao),
            // Quebrou a conexão antes de se aceitar, o que no Windows é um erro do `accept`: o próximo.
            Err(erro) if desistiu(&erro) => continue,
            Err(erro) => return Err(erro),
        };
        let loja = Arc::clone(&loja);
        thread::Builder::new().spawn(move || {
            let _ = conexao.set_nodelay(true);
            trancar(&loja.conexoes).push(Arc::clone(&conexao));
            // Um reset termina a conversa, não o servidor.
            let _ = loja.conversar(&conexao);
            trancar(&loja.conexoes).retain(|outra| !Arc::ptr_eq(outra, &conexao));
        })?;
    }
}
