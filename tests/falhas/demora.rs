//! Quem abusa da paciência do servidor: cada um é fechado no prazo de 30 s, nem antes, nem muito
//! depois. Os testes daqui duram esse prazo.

use super::*;

use std::thread;

use testes::{Cliente, ate_em};

/// O prazo do servidor, da linha e da saída, menos o que um turno demora: o relógio dele é o do começo
/// do turno, que pode ser um pouco anterior ao byte.
const PRAZO_MENOS_UM_TURNO: Duration = Duration::from_millis(29_500);

/// A ronda é de 1 s; o resto é de uma máquina ocupada.
const PRAZO_COM_FOLGA: Duration = Duration::from_secs(45);

/// Um cliente que manda um byte de cada vez, de uma linha que não acaba.
struct Gotejador {
    fluxo: TcpStream,
    desde: Instant,
}

impl Gotejador {
    fn conectar(endereco: SocketAddr) -> Self {
        let fluxo = sem_bloqueio(endereco);
        let desde = Instant::now();
        let gotejador = Gotejador { fluxo, desde };
        assert_eq!(gotejador.gota(), Tentativa::Andou(1));
        gotejador
    }

    fn gota(&self) -> Tentativa {
        tentativa((&self.fluxo).write(b"x"))
    }

    /// Quanto durou, se o servidor já o fechou. O que ele mandou e ninguém leu faz do fim um reset.
    fn durou(&self) -> Option<Duration> {
        let fechado = tentativa((&self.fluxo).read(&mut [0]));
        matches!(fechado, Tentativa::Fim | Tentativa::Quebrou).then(|| self.desde.elapsed())
    }
}

#[test]
fn um_byte_de_cada_vez_e_fechado_no_prazo_da_linha() {
    const CLIENTES: usize = 2000;
    let prova = Prova::abrir(&[]);
    let mut vivos: Vec<_> = (0..CLIENTES).map(|_| Gotejador::conectar(prova.endereco())).collect();
    let mut duraram = Vec::new();
    let limite = Instant::now() + PRAZO_COM_FOLGA;
    let mut gotas = 0_u64;
    while !vivos.is_empty() {
        assert!(Instant::now() < limite, "{} ainda abertos", vivos.len());
        thread::sleep(Duration::from_millis(250));
        vivos.retain(|gotejador| {
            let durou = gotejador.durou();
            duraram.extend(durou);
            gotas += u64::from(durou.is_none() && gotejador.gota() == Tentativa::Andou(1));
            durou.is_none()
        });
    }
    let (menos, mais) = (duraram.iter().min().unwrap(), duraram.iter().max().unwrap());
    assert!(*menos >= PRAZO_MENOS_UM_TURNO, "um durou só {menos:?}");

    let fim = prova.concluir();
    assert_eq!(fim.comandos(), 0);
    assert_eq!(fim.no_registro("desconectou (linha incompleta)"), CLIENTES);
    let medido = format!(
        "{CLIENTES} clientes, {gotas} gotas, fechados entre {} e {}",
        duracao(*menos),
        duracao(*mais)
    );
    fim.relatar("um byte de cada vez", medido);
}

/// Um cliente que pede e nunca lê, com o menor caminho de volta que o sistema dá: o que não cabe nele
/// fica na saída do servidor.
fn quem_nao_le(endereco: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    socket.set_tcp_mss(536).unwrap();
    socket.connect(&endereco.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

/// Manda linhas a todos até que, por um segundo, ninguém mais aceite nem um byte: o servidor deixou de
/// ler de cada um deles.
fn entupir(surdos: &[TcpStream]) {
    let linhas = "x\n".repeat(2048);
    let mut quietos = Instant::now();
    ate_em(PRAZO_COM_FOLGA, "o servidor deixar de ler de quem não lê", || {
        for mut surdo in surdos {
            match tentativa(surdo.write(linhas.as_bytes())) {
                Tentativa::Andou(_) => quietos = Instant::now(),
                Tentativa::Esperaria => {}
                outra => panic!("o servidor desistiu antes da hora: {outra:?}"),
            }
        }
        (quietos.elapsed() > Duration::from_secs(1)).then_some(())
    });
}

/// Todos os `ouvintes` ouvem o AVISO, e só ele; diz quanto demorou o último.
fn ouvem_o_aviso(ouvintes: &mut [Cliente]) -> Duration {
    let antes = Instant::now();
    for ouvinte in ouvintes {
        assert_eq!(ouvinte.linha(), AVISO);
    }
    antes.elapsed()
}

#[test]
fn quem_nunca_le_nao_atrasa_o_aviso_e_e_fechado_no_prazo_da_saida() {
    const SAIDA_MAXIMA: u64 = 256 * 1024;
    let surdos = quantas(300, 1000);
    let prova = Prova::abrir(&["--estoque", "1"]);
    let mut ouvintes: Vec<_> = (0..50).map(|_| prova.servidor.cliente()).collect();
    for ouvinte in &mut ouvintes {
        assert_eq!(ouvinte.pede("CONSULTAR"), "Estoque atual: 1");
    }
    let de_sempre = prova.exame.descritores();
    let comeco = Instant::now();
    let mudos: Vec<_> = (0..surdos).map(|_| quem_nao_le(prova.endereco())).collect();
    entupir(&mudos);
    assert_eq!(prova.exame.descritores(), de_sempre + surdos, "fechou alguém antes da hora");

    let mut comprador = prova.servidor.cliente();
    assert_eq!(comprador.pede("COMPRAR"), compra(0));
    let aviso = ouvem_o_aviso(&mut ouvintes);
    assert!(aviso < Duration::from_secs(2), "o AVISO demorou {aviso:?}");
    assert_eq!(comprador.linha(), AVISO);
    drop(comprador);

    let abertos = || prova.exame.descritores();
    ate_em(PRAZO_COM_FOLGA, "o primeiro fechado", || {
        (abertos() < de_sempre + surdos).then_some(())
    });
    let primeiro = comeco.elapsed();
    assert!(primeiro >= PRAZO_MENOS_UM_TURNO, "um durou só {primeiro:?}");
    ate_em(PRAZO_COM_FOLGA, "todos fechados", || (abertos() == de_sempre).then_some(()));
    let ultimo = comeco.elapsed();

    drop((mudos, ouvintes));
    let fim = prova.concluir();
    assert_eq!(fim.honesto.avisos, 1);
    // A enxurrada de linhas pode custar algumas ao registro; as do fim vêm muito depois dela.
    assert_eq!(fim.no_registro("desconectou (sem leitura)"), surdos);
    assert_eq!(fim.no_registro(&format!("{AVISO} -> {} clientes", surdos + 52)), 1);
    let teto = surdos as u64 * SAIDA_MAXIMA;
    assert!(fim.cresceu < teto, "cresceu {} de {teto}", fim.cresceu);
    let medido = format!(
        "{surdos} surdos, AVISO aos 50 em {}, fechados entre {} e {}, {} linhas de registro perdidas",
        duracao(aviso),
        duracao(primeiro),
        duracao(ultimo),
        fim.termino.conta(PERDIDAS)
    );
    fim.relatar("quem nunca lê, e o AVISO", medido);
}
