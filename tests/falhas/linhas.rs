//! O que não é um comando: linhas que não acabam, e bytes que não são texto.

use super::*;

use testes::{Cliente, ate, ate_em};

/// Um cliente que manda a mesma linha até o servidor fechar, ouve tudo, e ainda manda mais um pouco.
struct Tagarela {
    fluxo: TcpStream,
    ouvido: Vec<u8>,
    ouviu_o_fim: bool,
    acabou: bool,
}

impl Tagarela {
    fn conectar(endereco: SocketAddr) -> Self {
        let fluxo = sem_bloqueio(endereco);
        Tagarela { fluxo, ouvido: Vec::new(), ouviu_o_fim: false, acabou: false }
    }

    /// Manda mais um pedaço, ouve o que houver; diz se ainda não acabou. Um reset que viesse logo atrás
    /// do fim só se veria ao escrever: acaba quem ouviu o fim e, na vez seguinte, ainda escreve.
    fn continuar(&mut self) -> bool {
        let mandou = tentativa(self.fluxo.write(&[b'x'; 4096]));
        assert_ne!(mandou, Tentativa::Quebrou, "um reset depois de {:?}", self.ouvido);
        self.acabou = self.ouviu_o_fim;
        let mut pedaco = [0; 256];
        match tentativa(self.fluxo.read(&mut pedaco)) {
            Tentativa::Andou(lidos) => self.ouvido.extend_from_slice(&pedaco[..lidos]),
            Tentativa::Esperaria => {}
            Tentativa::Fim => self.ouviu_o_fim = true,
            Tentativa::Quebrou => panic!("um reset depois de {:?}", self.ouvido),
        }
        if self.acabou {
            // Como faz quem recebe o fim: larga também o seu lado.
            let _ = self.fluxo.shutdown(Shutdown::Both);
        }
        !self.acabou
    }
}

#[test]
fn linhas_sem_fim_ouvem_por_que_e_nao_ocupam_memoria() {
    const CLIENTES: usize = 1000;
    let mut prova = Prova::abrir(&[]);
    // O código que isto percorre também ocupa memória na primeira vez: que seja antes da conta.
    let mut primeiro = prova.servidor.cliente();
    primeiro.manda([b'x'; 600]);
    assert_eq!(primeiro.fim(), LINHA_LONGA);
    drop(primeiro);

    let de_sempre = prova.exame.descritores();
    let mut tagarelas: Vec<_> =
        (0..CLIENTES).map(|_| Tagarela::conectar(prova.endereco())).collect();
    ate("todos aceitos", || (prova.exame.descritores() >= de_sempre + CLIENTES - 1).then_some(()));
    prova.marcar_memoria();
    ate_em(Duration::from_secs(60), "todos ouvirem o fim", || {
        let faltam = tagarelas.iter_mut().filter(|tagarela| !tagarela.acabou);
        let ainda = faltam.map(Tagarela::continuar).filter(|ainda| *ainda).count();
        (ainda == 0).then_some(())
    });
    for tagarela in &tagarelas {
        assert_eq!(
            tagarela.ouvido.escape_ascii().to_string(),
            LINHA_LONGA.escape_default().to_string()
        );
    }
    drop(tagarelas);

    let fim = prova.concluir();
    assert_eq!(fim.no_registro("(linha longa) -> ERRO: Linha longa demais"), CLIENTES + 1);
    assert_eq!(fim.no_registro("desconectou (linha longa)"), CLIENTES + 1);
    assert!(fim.cresceu < MIB, "cresceu {} bytes", fim.cresceu);
    fim.relatar("uma linha sem fim", format!("{CLIENTES} ao mesmo tempo, nenhum reset"));
}

/// Manda uma linha que não é comando e ouve o erro dela.
fn da_erro(cliente: &mut Cliente, linha: &[u8]) {
    cliente.manda([linha, b"\n"].concat());
    let resposta = cliente.linha();
    assert!(resposta.starts_with("ERRO: Comando desconhecido"), "{linha:?}: {resposta}");
}

#[test]
fn lixo_binario_da_um_erro_por_linha_e_um_registro_so_de_ascii_visivel() {
    let vezes = quantas(20, 200);
    let prova = Prova::abrir(&[]);
    let mut cliente = prova.servidor.cliente();
    let todos: Vec<u8> = (u8::MIN..=u8::MAX).filter(|byte| *byte != b'\n').collect();
    let tortas =
        [&todos[..], b"x\0COMPRAR", b"COMPRAR2\0x", b"\xff\xfe\x80", b"\x1b[2J\x1b]0;x\x07"];
    let mut erros = 0;
    for _ in 0..vezes {
        for byte in u8::MIN..=u8::MAX {
            if byte == 0 || byte.is_ascii_whitespace() {
                // Uma linha em branco (um NUL também o é) não tem resposta: a seguinte é que tem.
                cliente.manda([byte, b'\n']);
            } else {
                da_erro(&mut cliente, &[byte]);
                erros += 1;
            }
        }
        for linha in tortas {
            da_erro(&mut cliente, linha);
            erros += 1;
        }
    }
    assert_eq!(cliente.pede("SAIR"), "Volte sempre!");
    assert_eq!(cliente.fim(), "");
    drop(cliente);

    let fim = prova.concluir();
    assert_eq!(fim.comandos(), erros + 1);
    assert_eq!(fim.no_registro("-> ERRO: Comando desconhecido") as u64, erros);
    for linha in fim.linhas_do_registro() {
        assert!(linha.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{linha:?}");
    }
    fim.relatar("NUL, não UTF-8, os 256 bytes", format!("{erros} linhas, um ERRO para cada"));
}
